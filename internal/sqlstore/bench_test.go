package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"convoke"
)

const (
	benchFunctions = 10_000
	benchEvents    = 500
)

// filled is a data directory with many deployed functions.
func filled(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	s := open(b, dir)
	addAccount(b, s)
	code := strings.Repeat("export const lambda = async (input) => input;\n", 100)
	// One transaction: a commit for each would measure the disk.
	err := s.main.write(b.Context(), func(t tx) error {
		for n := range benchFunctions {
			id := benchID(n)
			f := &convoke.Function{ID: id, AccountID: "1", Name: fmt.Sprintf("function-%05d", n), EventID: fmt.Sprintf("event-%d", n%benchEvents),
				State: convoke.StateProductive, LatestVersion: 1, LiveVersion: 1, LiveDeploymentID: "d-" + id, CreatedAt: time.Now(), UpdatedAt: time.Now()}
			v := &convoke.Version{ID: "v-" + id, AccountID: "1", FunctionID: id, Number: 1, Code: code,
				Environment: map[string]string{"KEY": "value"}, Settings: convoke.Settings{Timeout: time.Second}}
			if n%1000 == 0 {
				v.Settings.MinInstances = 1
			}
			d := &convoke.Deployment{ID: "d-" + id, AccountID: "1", FunctionID: id, VersionNumber: 1, BundleID: "b-" + id, State: convoke.DeploymentSuccessful}
			if err := insertFunction(b.Context(), t, f); err != nil {
				return err
			}
			if err := insertVersion(b.Context(), t, v); err != nil {
				return err
			}
			if err := insertDeployment(b.Context(), t, d); err != nil {
				return err
			}
			_, err := t.exec(b.Context(), `INSERT INTO bundles (`+bundleColumns+`, idle_since) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
				d.BundleID, "1", "esm", "v2", "26.1.0", 1, []byte(code), []byte(code), []byte(code))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

func benchID(n int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, n%benchFunctions)).String()
}

// BenchmarkReads measures the reads of a cold start, and opening, in a store
// with many functions.
func BenchmarkReads(b *testing.B) {
	dir := filled(b)
	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			s, err := Open(b.Context(), Config{Dir: dir})
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	s := open(b, dir)
	ctx, cancel := context.WithCancel(b.Context()) // as a request's is
	defer cancel()
	for _, read := range []struct {
		name string
		do   func(n int) error
	}{
		{"FindLive", func(n int) error { _, err := s.FindLive(ctx, "1", benchID(n)); return err }},
		{"FindLiveParallel", nil},
		{"FindBundle", func(n int) error { _, err := s.FindBundle(ctx, "1", "b-"+benchID(n)); return err }},
		{"ListLiveByEvent", func(n int) error { // 20 functions
			_, err := s.ListLiveByEvent(ctx, "1", fmt.Sprintf("event-%d", n%benchEvents))
			return err
		}},
		{"ListLiveByEventNone", func(int) error { _, err := s.ListLiveByEvent(ctx, "1", "event-none"); return err }},
		{"ListLiveWithMinInstances", func(int) error { _, err := s.ListLiveWithMinInstances(ctx); return err }},
		{"ListBusyFunctions", func(int) error { _, err := s.ListBusyFunctions(ctx); return err }},
		{"CountFunctions", func(int) error { _, _, err := s.CountFunctions(ctx, "1"); return err }},
	} {
		b.Run(read.name, func(b *testing.B) {
			if read.do == nil {
				b.RunParallel(func(pb *testing.PB) {
					for n := 0; pb.Next(); n++ {
						if _, err := s.FindLive(ctx, "1", benchID(n)); err != nil {
							b.Error(err)
						}
					}
				})
				return
			}
			n := 0
			for b.Loop() {
				if err := read.do(n); err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
	}
}

// BenchmarkAppend measures a batch of 400, as the run log writes them.
func BenchmarkAppend(b *testing.B) {
	const batch = 400
	s := open(b, b.TempDir())
	logs := make([]convoke.LogEntry, batch)
	runs := make([]convoke.Invocation, batch)
	fill := func() {
		for i := range batch {
			request := uuid.Must(uuid.NewV7()).String()
			logs[i] = convoke.LogEntry{AccountID: "1", FunctionID: benchID(i % 50), Version: 1, RequestID: request, Time: time.Now(),
				Level: convoke.LevelInfo, Source: convoke.SourceConsole, Message: "a message of the usual length, with a number in it"}
			runs[i] = convoke.Invocation{RequestID: request, AccountID: "1", FunctionID: benchID(i % 50), Version: 1, StartedAt: time.Now(),
				Run: time.Millisecond, Outcome: convoke.OutcomeSucceeded}
		}
	}
	b.Run("Logs", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			fill()
			b.StartTimer()
			if err := s.AppendLogs(b.Context(), logs); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/row")
	})
	b.Run("Invocations", func(b *testing.B) {
		counters := []convoke.Counter{{AccountID: "1", FunctionID: benchID(1), Minute: time.Now(), Succeeded: batch}}
		for b.Loop() {
			b.StopTimer()
			fill()
			b.StartTimer()
			if err := s.AppendInvocations(b.Context(), runs, counters); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/row")
	})
}
