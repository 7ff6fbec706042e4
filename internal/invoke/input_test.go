package invoke

import (
	"encoding/json"
	"testing"

	"convoke"
)

func TestParseInput(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]convoke.Code{
		`{"payload":{}}`: "",
		" \n{ \"timestamp\" : 1 , \"headers\" : [ ] , \"payload\" : null } ": "",
		`{"headers":{"a":"b"},"payload":7}`:                                  "",
		`{"x":{"payload":1},"y":["}",{"a":"\"]"}],"payload":""}`:             "",
		`{"headers":null,"payload":-1.5e9}`:                                  "",
		`{"payload":true}`:                                                   "",
		``:                                                                   convoke.CodeInvalid,
		`{}`:                                                                 convoke.CodeInvalid,
		`{"x":{"payload":1}}`:                                                convoke.CodeInvalid,
		`{"headers":[]}`:                                                     convoke.CodeInvalid,
		`{"headers":"x","payload":1}`:                                        convoke.CodeInvalid,
		`[1]`:                                                                convoke.CodeInvalid,
		`{"payload":1`:                                                       convoke.CodeInvalid,
		`{"payload":1}x`:                                                     convoke.CodeInvalid,
		`null`:                                                               convoke.CodeInvalid,
	} {
		if _, err := ParseInput([]byte(in)); convoke.ErrorCode(err) != want {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
}

// FuzzParseInput holds the walker against encoding/json.
func FuzzParseInput(f *testing.F) {
	f.Add([]byte(`{"a":[1,"]",{}],"payload":{"x":"\\\""},"headers":[]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := ParseInput(in)
		var object map[string]json.RawMessage
		valid := json.Unmarshal(in, &object) == nil && object != nil
		_, has := object["payload"]
		if err == nil && (!valid || !json.Valid(out)) {
			t.Fatalf("%q came through", in)
		}
		if err == nil && !has {
			t.Fatalf("%q has no payload", in)
		}
	})
}

func BenchmarkParseInput(b *testing.B) {
	in := []byte(`{"timestamp":1700000000000,"headers":[],"payload":{"name":"Ada","general":{"convId":"aaaaaaaa-0000-4000-8000-000000000001","clientLanguage":"en-US"}}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseInput(in); err != nil {
			b.Fatal(err)
		}
	}
}
