package storetest

import (
	"encoding/json"
	"fmt"
	"testing"

	"convoke"
)

func testActivities(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	var all []*convoke.Activity // newest first
	for i, action := range []string{"function.create", "function.deploy", "domain.add", "function.create"} {
		a := &convoke.Activity{AccountID: acct, At: at(i), ActorID: "u" + fmt.Sprint(i%2), Actor: "ann", From: "192.0.2.1", RequestID: "r",
			Action: action, Subject: fmt.Sprint("f", i), Name: "greeting", After: json.RawMessage(`{"a":1}`)}
		if i == 1 {
			a.Before, a.After = a.After, nil
		}
		must(t, s.AppendActivity(ctx, a))
		all = append([]*convoke.Activity{a}, all...)
	}
	must(t, s.AppendActivity(ctx, &convoke.Activity{AccountID: other, At: at(0), Action: "function.create"}))
	wantCode(t, s.AppendActivity(ctx, &convoke.Activity{AccountID: "999", Action: "a.b"}), convoke.CodeNotFound)

	for name, c := range map[string]struct {
		filter convoke.ActivityFilter
		want   []*convoke.Activity
	}{
		"all":       {convoke.ActivityFilter{}, all},
		"limit":     {convoke.ActivityFilter{Limit: 2}, all[:2]},
		"next page": {convoke.ActivityFilter{Before: all[1].ID}, all[2:]},
		"actions":   {convoke.ActivityFilter{Actions: []string{"domain.add", "function.deploy"}}, all[1:3]},
		"noun":      {convoke.ActivityFilter{Noun: "domain"}, all[1:2]},
		"subject":   {convoke.ActivityFilter{Subject: "f0"}, all[3:]},
		"actor":     {convoke.ActivityFilter{ActorID: "u1"}, []*convoke.Activity{all[0], all[2]}},
		"from":      {convoke.ActivityFilter{From: at(2)}, all[:2]},
		"to":        {convoke.ActivityFilter{To: at(2)}, all[2:]},
		"none":      {convoke.ActivityFilter{Subject: "f9"}, []*convoke.Activity{}},
	} {
		same(t, name, get(s.ListActivities(ctx, acct, c.filter))(t), c.want)
	}

	if n := get(s.DeleteActivitiesBefore(ctx, at(3), 2))(t); n != 2 {
		t.Errorf("removed %d, want 2", n)
	}
	if n := get(s.DeleteActivitiesBefore(ctx, at(3), 100))(t); n != 2 { // with the other account's
		t.Errorf("removed %d, want 2", n)
	}
	same(t, "what is left", get(s.ListActivities(ctx, acct, convoke.ActivityFilter{}))(t), all[:1])
}
