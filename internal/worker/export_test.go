package worker

// PID is the process that the worker is.
func (w *Worker) PID() int { return w.cmd.Process.Pid }

// Faults is how many workers of an account had to be stopped since it went
// behind, 0 when it is not behind.
func (f *Fleet) Faults(account string) int { return f.ruling.Load().behind[account].faults }
