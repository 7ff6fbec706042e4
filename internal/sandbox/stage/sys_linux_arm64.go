package stage

const (
	sysSeccomp  = 277
	sysExecveat = 281
)
