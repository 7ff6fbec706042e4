package app

import "convoke/internal/egress"

// newEgress makes the functions' way out of what the operator set.
func (a *App) newEgress() (*egress.Proxy, error) {
	c := &a.cfg.Egress
	var proxy *egress.Proxy
	figures, err := a.telemetry.Egress(func() int { return proxy.Stats().Connections })
	if err != nil {
		return nil, err
	}
	proxy, err = egress.New(egress.Config{
		Domains: a.store, Record: a.runlog.RecordCall, Internal: c.InternalHosts(), Logger: a.log,
		Limits: egress.Limits{
			Rate: c.CallsPerSecond, ConnectionsPerFunction: c.ConnectionsPerFunction, ConnectionsPerAccount: c.ConnectionsPerAccount,
			Connections: c.Connections, BytesPerConnection: int64(c.MiBPerConnection) << 20,
			ConnectTimeout: c.ConnectTimeout, IdleTimeout: c.IdleTimeout, Life: c.Life,
		},
		Observer: egress.Observer{
			Connected: figures.Connected,
			Ended: func(e egress.End) {
				if a.cfg.MetricsPublic {
					e.Entry = "" // whom an account calls is not for everybody
				}
				figures.Ended(string(e.Outcome), e.Entry, e.Sent, e.Received)
			},
		},
	})
	return proxy, err
}
