package telemetry

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestEgress(t *testing.T) {
	t.Parallel()
	tel := setup(t)
	e, err := tel.Egress(func() int { return 4 })
	if err != nil {
		t.Fatal(err)
	}
	e.Connected(3 * time.Millisecond)
	e.Ended("ok", "api.example.com", 10, 20)
	e.Ended("ok", "api.example.com", 1, 2)
	e.Ended("refused", "", 0, 0)
	for i := range maxDestinations + 10 {
		e.Ended("failed", fmt.Sprintf("*.n%d.example", i), 0, 0)
	}
	got := scrape(t, tel)
	for _, want := range []string{
		`convoke_egress_connect_duration_seconds_count 1`,
		`convoke_egress_connections_total{outcome="ok"} 2`,
		`convoke_egress_connections_total{outcome="refused"} 1`,
		`convoke_egress_bytes_total{direction="sent"} 11`,
		`convoke_egress_bytes_total{direction="received"} 22`,
		`convoke_egress_destinations_total{destination="api.example.com",outcome="ok"} 2`,
		`convoke_egress_destinations_total{destination="*.n98.example",outcome="failed"} 1`,
		`convoke_egress_destinations_total{destination="other",outcome="failed"} 11`,
		`convoke_egress_open 4`,
	} {
		if !strings.Contains(got, "\n"+want) {
			t.Errorf("the scrape lacks %s", want)
		}
	}
	if n := strings.Count(got, "\nconvoke_egress_destinations_total{"); n != maxDestinations+1 {
		t.Errorf("%d series by destination, want %d", n, maxDestinations+1)
	}
	if t.Failed() {
		t.Log(got)
	}
	var none *Telemetry
	nothing, err := none.Egress(nil)
	if err != nil {
		t.Fatal(err)
	}
	nothing.Connected(time.Second)
	nothing.Ended("ok", "x", 1, 1)
}
