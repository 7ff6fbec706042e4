package runlog

import (
	"encoding/json"
	"testing"
	"time"

	"convoke"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	e := convoke.LogEntry{Seq: 7, AccountID: account, FunctionID: "f", RequestID: "r", Time: at, Level: convoke.LevelWarn,
		Message: "Order 100% Shipped, Grüße", Extras: json.RawMessage(`[{"Carrier":"ACME_1"}]`)}
	for name, tt := range map[string]struct {
		filter convoke.LogFilter
		want   bool
	}{
		"empty":                 {convoke.LogFilter{}, true},
		"function":              {convoke.LogFilter{FunctionID: "f"}, true},
		"other function":        {convoke.LogFilter{FunctionID: "g"}, false},
		"request":               {convoke.LogFilter{RequestID: "r"}, true},
		"other request":         {convoke.LogFilter{RequestID: "s"}, false},
		"level":                 {convoke.LogFilter{Levels: []convoke.LogLevel{convoke.LevelInfo, convoke.LevelWarn}}, true},
		"other levels":          {convoke.LogFilter{Levels: []convoke.LogLevel{convoke.LevelInfo, convoke.LevelError}}, false},
		"from is inclusive":     {convoke.LogFilter{From: at}, true},
		"from later":            {convoke.LogFilter{From: at.Add(time.Millisecond)}, false},
		"to is exclusive":       {convoke.LogFilter{To: at}, false},
		"to later":              {convoke.LogFilter{To: at.Add(time.Millisecond)}, true},
		"after is exclusive":    {convoke.LogFilter{AfterSeq: 7}, false},
		"after earlier":         {convoke.LogFilter{AfterSeq: 6}, true},
		"text in message":       {convoke.LogFilter{Text: "oRDER 100"}, true},
		"text beyond ASCII":     {convoke.LogFilter{Text: "GRÜ"}, true},
		"text in extras":        {convoke.LogFilter{Text: `"acme`}, true},
		"text nowhere":          {convoke.LogFilter{Text: "lost"}, false},
		"text longer than all":  {convoke.LogFilter{Text: string(make([]byte, 100))}, false},
		"percent is no pattern": {convoke.LogFilter{Text: "order%shipped"}, false},
		"percent":               {convoke.LogFilter{Text: "100% s"}, true},
		"low line is one":       {convoke.LogFilter{Text: "ACME_1"}, true},
		"low line no pattern":   {convoke.LogFilter{Text: "ACM_"}, false},
		"all of them": {convoke.LogFilter{FunctionID: "f", RequestID: "r", Levels: []convoke.LogLevel{convoke.LevelWarn},
			From: at, To: at.Add(1), Text: "shipped", AfterSeq: 1, Limit: 1, Ascending: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Match(&tt.filter, &e); got != tt.want {
				t.Errorf("Match = %v, want %v", got, tt.want)
			}
		})
	}
}
