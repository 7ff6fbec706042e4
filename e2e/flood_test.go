package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// maxFlood is more than any rate in a script lets through while so many
// requests are made, one after the other.
const maxFlood = 5000

// cmdFlood repeats a request until it is refused by 429, and prints that answer
// in one line. Others than 200 before it fail.
func cmdFlood(ts *testscript.TestScript, args []string) {
	need(ts, args, 3, "flood METHOD PATH BODY")
	for range maxFlood {
		req, err := http.NewRequest(args[0], ts.Getenv("CONVOKE_URL")+args[1], strings.NewReader(args[2]))
		ts.Check(err)
		req.Header.Set("Authorization", "Bearer "+ts.Getenv("CONVOKE_TOKEN"))
		req.Header.Set("Content-Type", "application/json")
		resp, err := web.Do(req)
		ts.Check(err)
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		resp.Body.Close()
		ts.Check(err)
		switch resp.StatusCode {
		case http.StatusOK:
		case http.StatusTooManyRequests:
			_, err := fmt.Fprintf(ts.Stdout(), "429 Retry-After: %s %s\n", resp.Header.Get("Retry-After"), strings.TrimSpace(string(body)))
			ts.Check(err)
			return
		default:
			ts.Fatalf("%s %s answered %d %s", args[0], args[1], resp.StatusCode, body)
		}
	}
	ts.Fatalf("%s %s is not refused", args[0], args[1])
}
