package stage

const (
	sysSeccomp  = 317
	sysExecveat = 322
)
