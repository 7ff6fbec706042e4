package sqlstore
import ("testing";"context";"syscall";"time";"os";"fmt")
func cpu() time.Duration { var r syscall.Rusage; syscall.Getrusage(0,&r); return time.Duration(r.Utime.Nano()+r.Stime.Nano()) }
func BenchmarkScratch(b *testing.B) {
	dir := filled(b)
	s := open(b, dir)
	bg := context.Background()
	cc, cancel := context.WithCancel(bg); defer cancel()
	_ = bg
	d := conn{sqliteDialect, s.main.read.db}
	_ = d
	for round := 0; round < 3; round++ {
	for name, ctx := range map[string]context.Context{"plain": bg, "cancel": cc} {
		for what, f := range map[string]func(n int) { "live": func(n int){ s.FindLive(ctx,"1",benchID(n)) }, "bundle": func(n int){ s.FindBundle(ctx,"1","b-"+benchID(n)) }, "busy": func(n int){ s.ListBusyFunctions(ctx) }, "func": func(n int){ s.FindFunction(ctx,"1",benchID(n)) }} {
			t0 := cpu()
			for n := range 5000 { f(n) }
			fmt.Fprintln(os.Stderr, name, what, (cpu()-t0)/5000)
		}
	}}
}
