package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

const timeLayout = "2006-01-02T15:04:05.000Z"

// Time is a moment on the wire: RFC 3339 in UTC with milliseconds. Zero times
// are left out of bodies by omitzero.
type Time struct{ time.Time }

// MarshalJSON writes RFC 3339 with milliseconds, or null for the zero time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().AppendFormat(nil, `"`+timeLayout+`"`), nil
}

// UnmarshalJSON takes RFC 3339, Unix milliseconds, null or "".
func (t *Time) UnmarshalJSON(b []byte) error {
	if ms, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		t.Time = time.UnixMilli(ms).UTC()
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a time is RFC 3339 text or Unix milliseconds, not %.40s", b)
	}
	if s == "" {
		t.Time = time.Time{}
		return nil
	}
	parsed, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("a time is RFC 3339 text or Unix milliseconds, not %.40q", s)
	}
	t.Time = parsed.UTC()
	return nil
}
