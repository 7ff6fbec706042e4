package client_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shop is a program of another module; docs/api.md has the same.
const shop = `package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"convoke"
	"convoke/api"
	"convoke/client"
)

func main() {
	c, err := client.New(client.Config{URL: os.Args[1], Token: convoke.NewSecret(os.Getenv("CONVOKE_TOKEN"))})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	id, err := c.Lookup(ctx, "greeting")
	if err != nil {
		log.Fatal(err)
	}
	result, err := c.Invoke(ctx, id, api.InvokeRequest{Payload: json.RawMessage(` + "`{\"name\":\"Ada\"}`" + `)}, client.InvokeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(result.Body))
}
`

// TestOtherModule: a module elsewhere uses the client by a replace directive,
// with the commands of docs/api.md, and takes nothing of the server's along.
func TestOtherModule(t *testing.T) {
	t.Parallel()
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), shop) {
		t.Error("docs/api.md has another program than this test")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(shop), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		// What it needs is in the module cache, since this checkout was built.
		cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off", "GOSUMDB=off", "CONVOKE_TOKEN="+token)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("mod", "init", "example.com/shop")
	for _, args := range []string{"mod edit -require=convoke@v0.0.0 -replace=convoke=../convoke", "mod tidy"} {
		if !strings.Contains(string(doc), "\n$ go "+args+"\n") {
			t.Errorf("docs/api.md does not say: go %s", args)
		}
		run(strings.Fields(strings.ReplaceAll(args, "=../convoke", "="+checkout))...)
	}
	if got := run("run", ".", serverURL); got != `{"text":"Hello Ada"}` {
		t.Errorf("the program printed %s", got)
	}
	for _, module := range strings.Fields(run("list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")) {
		if module != "example.com/shop" && module != "convoke" && module != "github.com/google/uuid" {
			t.Errorf("the program takes %s along", module)
		}
	}
}
