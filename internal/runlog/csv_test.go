package runlog

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

func TestWriteCSV(t *testing.T) {
	t.Parallel()
	at := time.Date(2022, 2, 16, 12, 45, 35, 987e6, time.FixedZone("", 3600))
	var got strings.Builder
	err := WriteCSV(&got, []convoke.LogEntry{
		{FunctionID: "f", RequestID: "r", Time: at, Level: convoke.LevelInfo, Message: "plain", Extras: json.RawMessage("[]")},
		{FunctionID: "f", Time: at, Level: convoke.LevelWarn, Message: `a;b "c"` + "\nnext", Extras: json.RawMessage(`[{"k":"v;w"},1]`)},
		{FunctionID: "f", Time: at, Level: convoke.LevelError, Message: "a, b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "lambdaUUID;requestID;timestamp;level;message;extras\n" +
		"f;r;Wed, 16 Feb 2022 11:45:35 GMT;Info;plain;[]\n" +
		"f;;Wed, 16 Feb 2022 11:45:35 GMT;Warn;\"a;b \"\"c\"\"\nnext\";\"[{\"\"k\"\":\"\"v;w\"\"},1]\"\n" +
		"f;;Wed, 16 Feb 2022 11:45:35 GMT;Error;a, b;[]\n"
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWriteCSVWithoutRows(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	if err := WriteCSV(&got, nil); err != nil {
		t.Fatal(err)
	}
	if want := "lambdaUUID;requestID;timestamp;level;message;extras\n"; got.String() != want {
		t.Errorf("got %q, want the header %q", got.String(), want)
	}
}

func TestWriteCSVReturnsTheError(t *testing.T) {
	t.Parallel()
	gone := errors.New("client went away")
	if err := WriteCSV(broken{gone}, nil); !errors.Is(err, gone) {
		t.Errorf("got %v, want %v", err, gone)
	}
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }
