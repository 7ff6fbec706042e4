package app_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"convoke"
	"convoke/api"
	"convoke/client"
	"convoke/internal/worker"
)

// failures are the ways in which a function goes wrong, as its callers and its
// developer see them.
var failures = map[string]struct {
	code   string // of lambda, behind a line that answers "ok" with ok
	v1     bool
	status int
	answer string        // a part of the body
	logs   []string      // each a part of an entry of this request
	death  worker.Reason // of the instance; "" lives on
	entry  convoke.Code  // of the record; "" is success
	how    convoke.Outcome
}{
	"endless loop": {code: `while (true) {}`, status: 901, answer: `"code":"com.customer.faas.function.execution-exceeded","message":"The function did not answer within 400ms`,
		logs: []string{"The function did not answer within 400ms and was stopped."}, death: worker.ReasonTimeout, entry: convoke.CodeTimeout, how: convoke.OutcomeTimeout},
	"never answers": {code: `return new Promise(() => {})`, status: 901, answer: "execution-exceeded",
		logs: []string{"did not answer within 400ms"}, death: worker.ReasonTimeout, entry: convoke.CodeTimeout, how: convoke.OutcomeTimeout},
	"never calls back": {code: ``, v1: true, status: 901, answer: `"errorCode":"com.liveperson.faas.handler.executiontime-exceeded"`,
		logs: []string{"Lambda did not call callback within execution time limit"}, death: worker.ReasonTimeout, entry: convoke.CodeTimeout, how: convoke.OutcomeTimeout},
	"heap bomb": {code: `const all = []; for (;;) all.push(new Array(1e5).fill(1.5))`, status: 901,
		answer: `"code":"com.liveperson.faas.function.runtime.limit-reached","message":"The function needed more than its 64 MiB of memory`,
		logs:   []string{"The instance ended: memory"}, death: worker.ReasonMemory, entry: convoke.CodeLimitReached, how: convoke.OutcomeCodingFailure},
	"buffer bomb": {code: `const all = []; for (;;) { all.push(Buffer.alloc(8 << 20, 1)); await new Promise((r) => setTimeout(r, 2)) }`, status: 901,
		answer: "more than its 64 MiB", logs: []string{"The instance ended: memory"}, death: worker.ReasonMemory, entry: convoke.CodeLimitReached, how: convoke.OutcomeCodingFailure},
	"process.exit": {code: `console.log('last words'); process.exit(3)`, status: 901,
		answer: `"code":"com.customer.faas.function.js-runtime-error","message":"The function ended its process (process.exit(3)) instead of answering`,
		logs:   []string{"last words", "process.exit(3)"}, death: worker.ReasonExit, entry: convoke.CodeRuntimeError, how: convoke.OutcomeCodingFailure},
	"process.abort": {code: `process.abort()`, status: 901, answer: "js-runtime-error",
		logs: []string{"The instance ended: crash"}, death: worker.ReasonCrash, entry: convoke.CodeRuntimeError, how: convoke.OutcomeCodingFailure},
	"forged frame": {code: `require('fs').writeSync(3, Buffer.from([0, 0, 0, 0, 99, 0, 0, 0, 0])); return new Promise(() => {})`, status: 901, answer: "leave file descriptors 3 and 4 alone",
		logs: []string{"The instance ended: protocol"}, death: worker.ReasonProtocol, entry: convoke.CodeRuntimeError, how: convoke.OutcomeCodingFailure},
	"rejection after the answer": {code: `setTimeout(() => { Promise.reject(new Error('lost one')) }, 5); return 'answered'`, status: 200, answer: `"answered"`,
		logs: []string{"Unhandled promise rejection: Error: lost one"}, how: convoke.OutcomeSucceeded},
	"throw in a timer after the answer": {code: `setTimeout(() => { throw new Error('late one') }, 5); return 'answered'`, status: 200, answer: `"answered"`,
		logs: []string{"Uncaught exception after lambda had answered"}, death: worker.ReasonRetired, how: convoke.OutcomeSucceeded},
	"throw in a timer before the answer": {code: `return new Promise(() => { setTimeout(() => { null.x }, 5) })`, status: 901, answer: "js-runtime-error",
		logs: []string{"Uncaught exception, outside of lambda's own calls"}, death: worker.ReasonRetired, entry: convoke.CodeRuntimeError, how: convoke.OutcomeCodingFailure},
	"BigInt result": {code: `return 1n`, status: 901, answer: "The result cannot be serialised as JSON",
		logs: []string{"BigInt"}, entry: convoke.CodeRuntimeError, how: convoke.OutcomeCodingFailure},
	"cyclic result": {code: `const a = {}; a.a = a; return a`, status: 901, answer: "The result cannot be serialised as JSON",
		logs: []string{"circular"}, entry: convoke.CodeRuntimeError, how: convoke.OutcomeCodingFailure},
	"5 MB result": {code: `return 'x'.repeat(5 << 20)`, status: 901, answer: `at most 1048576 bytes are allowed`,
		logs: []string{"at most 1048576 bytes"}, entry: convoke.CodeLimitReached, how: convoke.OutcomeCodingFailure},
	"callback twice": {code: `callback(null, 1); callback(null, 2)`, v1: true, status: 200, answer: `1`,
		logs: []string{"The callback was called again"}, how: convoke.OutcomeSucceeded},
	"error in a wrong format": {code: `callback({ reason: 'none' })`, v1: true, status: 901, answer: `"errorCode":"com.liveperson.faas.handler.custom-failure"`,
		logs: []string{`incorrect format`, `[{"originalFailure":{"reason":"none"}}]`}, entry: convoke.CodeThrew, how: convoke.OutcomeCodingFailure},
	"100,000 log lines": {code: `for (let i = 0; i < 100000; i++) console.log('line ' + i); return 'done'`, status: 200, answer: `"done"`,
		logs: []string{"line 499", "99500 log entries of this invocation were dropped"}, how: convoke.OutcomeSucceeded},
	"100,000 lines on stdout": {code: `for (let i = 0; i < 100000; i++) process.stdout.write('line ' + i + '\n'); return 'done'`, status: 200, answer: `"done"`,
		how: convoke.OutcomeSucceeded},
}

// TestFailures: each way to go wrong is told to the caller, to the log under
// the request's id, to the record and to the metrics, and hurts nobody else.
func TestFailures(t *testing.T) {
	t.Parallel()
	s := start(t)
	ids := map[string]string{}
	for name, c := range failures {
		head, v1 := "async function lambda(input) {\n  if (input.payload === 'ok') return 'ok';\n  ", "v1"
		if c.v1 {
			head = "function lambda(input, callback) {\n  if (input.payload === 'ok') return callback(null, 'ok');\n  "
		}
		ids[name] = s.deploy(t, strings.NewReplacer(" ", "_", ",", "", ".", "_").Replace(name), head+c.code+"\n}", func(m *api.ManifestRequest) {
			if m.Settings = (&api.Settings{MemoryMiB: 64, TimeoutMs: 20_000}); c.how == convoke.OutcomeTimeout {
				m.Settings.TimeoutMs = 400
			}
			if c.v1 {
				m.Contract = &v1
			}
		})
	}
	neighbour := s.deploy(t, "neighbour", `async function lambda() { return 'fine' }`)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if got, err := s.invoke(t, neighbour, "1"); got != `"fine"` || err != nil {
				t.Errorf("the neighbour: %s, %v", got, err)
				return
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	for _, name := range slices.Sorted(maps.Keys(failures)) { // one at a time: deaths are counted
		c, id := failures[name], ids[name]
		before := s.deaths(t)
		request, query := "r-"+strings.ReplaceAll(name, " ", "-"), ""
		if c.v1 {
			query = "?v=1"
		}
		status, body, _ := s.do(t, http.MethodPost, "/lambdas/"+id+"/invoke"+query, `{"payload":1}`, http.Header{"X-Request-Id": {request}})
		if status != c.status || !strings.Contains(body, c.answer) {
			t.Errorf("%s: %d %.300s, want %d with %s", name, status, body, c.status, c.answer)
		}
		for _, want := range c.logs {
			s.logged(t, client.LogFilter{FunctionID: id, RequestID: request}, want)
		}
		if c.death != "" {
			s.until(t, fmt.Sprintf("%s: a death by %s", name, c.death), func() bool { return s.deaths(t)[string(c.death)] > before[string(c.death)] })
		}
		if got, err := s.invoke(t, id, `"ok"`); got != `"ok"` || err != nil {
			t.Errorf("%s: the next invocation: %s, %v", name, got, err)
		}
		if after := s.deaths(t); c.death == "" && !maps.Equal(after, before) {
			t.Errorf("%s: deaths %v, before %v: nothing should have died", name, after, before)
		}
		s.recorded(t, id, request, c.how, c.entry)
	}
	close(stop)
	wg.Wait()
	logs, err := s.Logs(t.Context(), client.LogFilter{FunctionID: ids["100,000 log lines"], Limit: 1000})
	if err != nil || len(logs) != 501 {
		t.Errorf("of 100,000 log lines %d entries are kept, %v; want 500 and the one that says so", len(logs), err)
	}
}

// recorded checks the record of one invocation.
func (s *server) recorded(t *testing.T, id, request string, how convoke.Outcome, code convoke.Code) {
	t.Helper()
	var records []api.Invocation
	s.get(t, "/functions/"+id+"/invocations?requestId="+request, &records)
	if len(records) != 1 || records[0].Outcome != string(how) || records[0].Code != code || records[0].PayloadBytes == 0 || records[0].DurationMs <= 0 {
		t.Errorf("records of %s = %+v, want one %s with code %q", request, records, how, code)
	}
}

// TestStackTraces: what the developer wrote is what a stack shows, in the
// error's body, in the log and in a test run, whatever the bundler made of it.
func TestStackTraces(t *testing.T) {
	t.Parallel()
	s := start(t)
	const index = `import { total } from "./lib/price.ts";

interface Order {
  items: number[];
}

enum Kind { Small = 1, Large = 2 }

async function lambda(input: { payload: Order }): Promise<number> {
  const order: Order = input.payload;
  await null;
  return total(order.items) * Kind.Large;
}
`
	const price = `// Prices of an order.
type Cents = number;

export function total(items: Cents[]): Cents {
  if (items.length === 0)
    throw new Error("an empty order");
  return items.reduce((a: Cents, b: Cents): Cents => a + b);
}
`
	typescript := "typescript"
	id := s.deploy(t, "order", index, func(m *api.ManifestRequest) {
		m.Language, m.Files = &typescript, map[string]string{"lib/price.ts": price}
	})
	for _, c := range []struct{ name, payload, head string }{
		{"threw", `{"items":[]}`, "Error: an empty order"},
		{"broken", `{}`, "TypeError: Cannot read properties of undefined (reading 'length')"},
	} {
		want := []string{c.head, "at total (lib/price.ts:", "at lambda (index.ts:12:10)"}
		if c.name == "threw" {
			want[1] = "at total (lib/price.ts:6:11)"
		}
		_, body, _ := s.do(t, http.MethodPost, "/lambdas/"+id+"/invoke", `{"payload":`+c.payload+`}`, http.Header{"X-Request-Id": {c.name}})
		logged := s.logged(t, client.LogFilter{FunctionID: id, RequestID: c.name}, c.head)
		_, tested, _ := s.do(t, http.MethodPost, "/functions/"+id+"/test", `{"payload":`+c.payload+`}`, nil)
		for where, got := range map[string]string{"error": body, "log": logged.Message, "test run": tested} {
			for _, line := range want {
				if !strings.Contains(got, line) {
					t.Errorf("%s: the %s lacks %q: %s", c.name, where, line, got)
				}
			}
			if strings.Contains(got, "function:bundle") || strings.Contains(got, "bootstrap.cjs") {
				t.Errorf("%s: the %s shows the platform's own code: %s", c.name, where, got)
			}
		}
	}
}
