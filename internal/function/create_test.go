package function_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/internal/function"
)

func TestCreateIsADraft(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	f, v, err := b.Create(t.Context(), dev, account, function.CreateInput{Name: "greet", Description: "says hello",
		EventID: "controllerbot_messaging_ttr", Skills: []string{"7"}})
	if err != nil {
		t.Fatal(err)
	}
	if f.State != convoke.StateDraft || f.LatestVersion != 1 || f.Deployed() || f.CreatedBy != "dev@example.com" || f.UpdatedBy != f.CreatedBy {
		t.Errorf("created %+v", f)
	}
	if v.Number != 1 || v.Code != "" || v.Language != convoke.JavaScript || v.Runtime != convoke.DefaultRuntime {
		t.Errorf("version 1 is %+v", v)
	}
	stored, storedVersion, err := b.Version(t.Context(), account, f.ID, function.Latest)
	if err != nil {
		t.Fatal(err)
	}
	if stored.Name != "greet" || stored.EventID != f.EventID || !cmp.Equal(stored.Skills, f.Skills) || storedVersion.ID != v.ID {
		t.Errorf("stored %+v with %+v", stored, storedVersion)
	}
}

func TestCreateWithCode(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	code, language := good, convoke.TypeScript
	f := b.createFrom(function.CreateInput{Name: "typed", Content: function.Content{
		Code: &code, Language: &language, Environment: map[string]string{"A": "1"}}})
	_, v, err := b.Version(t.Context(), account, f.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	if v.Code != good || v.Language != convoke.TypeScript || v.Environment["A"] != "1" {
		t.Errorf("version 1 is %+v", v)
	}
}

func TestCreateRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *function.Config) { c.Limits.FunctionsPerAccount = 2 })
	b.create("taken", "")
	long := strings.Repeat("x", 100_001)
	for what, test := range map[string]struct {
		in   function.CreateInput
		want convoke.Code
	}{
		"no name":           {function.CreateInput{}, convoke.CodeValidation},
		"name taken":        {function.CreateInput{Name: "taken"}, convoke.CodeConflict},
		"long description":  {function.CreateInput{Name: "a", Description: long[:201]}, convoke.CodeValidation},
		"event id":          {function.CreateInput{Name: "a", EventID: "a b"}, convoke.CodeValidation},
		"skills, no event":  {function.CreateInput{Name: "a", Skills: []string{"1"}}, convoke.CodeValidation},
		"long code":         {function.CreateInput{Name: "a", Content: function.Content{Code: &long}}, convoke.CodeValidationTooLong},
		"reserved variable": {function.CreateInput{Name: "a", Content: function.Content{Environment: map[string]string{"NODE_OPTIONS": "-"}}}, convoke.CodeValidation},
	} {
		_, _, err := b.Create(t.Context(), dev, account, test.in)
		b.wantCode(what, err, test.want)
	}
	b.create("second", "")
	_, _, err := b.Create(t.Context(), dev, account, function.CreateInput{Name: "third"})
	b.wantCode("third of two", err, convoke.CodeLimitExceeded)
	if total, deployed, err := b.Counts(t.Context(), account); total != 2 || deployed != 0 || err != nil {
		t.Errorf("counts are %d, %d, %v after refusals, want 2, 0", total, deployed, err)
	}
}

func TestUpdateMeta(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	f := b.createFrom(function.CreateInput{Name: "meta", Description: "old", EventID: "controllerbot_messaging_ttr"})
	text := func(s string) *string { return &s }
	update := func(in function.MetaInput) error {
		_, err := b.UpdateMeta(t.Context(), dev, account, f.ID, in)
		return err
	}

	b.wantCode("nothing", update(function.MetaInput{}), convoke.CodeUnchanged)
	b.wantCode("same", update(function.MetaInput{Description: text("old"), Skills: []string{}, Name: text("meta"), EventID: text(f.EventID)}), convoke.CodeUnchanged)
	b.wantCode("rename", update(function.MetaInput{Name: text("other")}), convoke.CodeValidation, "fixed")
	b.wantCode("other event", update(function.MetaInput{EventID: text("")}), convoke.CodeValidation, "fixed")
	b.wantCode("too long", update(function.MetaInput{Description: text(strings.Repeat("x", 201))}), convoke.CodeValidation)
	b.wantCode("skill twice", update(function.MetaInput{Skills: []string{"1", "1"}}), convoke.CodeValidation)
	b.wantCode("change", update(function.MetaInput{Description: text("new"), Skills: []string{"1", "2"}}), "")

	got := b.current(f)
	if got.Description != "new" || !cmp.Equal(got.Skills, []string{"1", "2"}) || got.Name != "meta" || got.State != convoke.StateDraft {
		t.Errorf("updated to %+v", got)
	}
	if _, switches := b.runtime.seen(); switches != nil {
		t.Errorf("a draft was switched: %q", switches)
	}
	_, err := b.UpdateMeta(t.Context(), dev, account, "00000000-0000-0000-0000-000000000000", function.MetaInput{Skills: []string{}})
	b.wantCode("unknown", err, convoke.CodeFunctionNotFound)
}

func TestSkillsOfADeployedFunctionHoldAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	const event = "controllerbot_messaging_ttr"
	code := good
	a := b.createFrom(function.CreateInput{Name: "a", EventID: event, Skills: []string{"1"}, Content: function.Content{Code: &code}})
	c := b.createFrom(function.CreateInput{Name: "c", EventID: event, Skills: []string{"2"}, Content: function.Content{Code: &code}})
	b.mustDeploy(a, 0)
	b.mustDeploy(c, 0)
	b.runtime.seen()

	_, err := b.UpdateMeta(t.Context(), dev, account, c.ID, function.MetaInput{Skills: []string{"1", "2"}})
	b.wantCode("skill of another function", err, convoke.CodeActionNotAllowed, "a takes already")
	_, err = b.UpdateMeta(t.Context(), dev, account, c.ID, function.MetaInput{Skills: []string{}})
	b.wantCode("all skills", err, convoke.CodeActionNotAllowed)
	if _, switches := b.runtime.seen(); switches != nil {
		t.Errorf("refused changes switched %q", switches)
	}

	got, err := b.UpdateMeta(t.Context(), dev, account, c.ID, function.MetaInput{Skills: []string{"3"}})
	if err != nil {
		t.Fatal(err)
	}
	if got.State != convoke.StateProductive || !cmp.Equal(got.Skills, []string{"3"}) {
		t.Errorf("after the change: %+v", got)
	}
	if probes, switches := b.runtime.seen(); probes != nil || !cmp.Equal(switches, []string{"c 1"}) {
		t.Errorf("probed %q and switched %q, want only one switch of c", probes, switches)
	}
}
