package worker

// PID is the process that the worker is.
func (w *Worker) PID() int { return w.cmd.Process.Pid }
