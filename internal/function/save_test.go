package function_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/internal/function"
)

func TestFirstSaveFillsVersionOne(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	f, empty, err := b.Create(t.Context(), dev, account, function.CreateInput{Name: "f"})
	if err != nil {
		t.Fatal(err)
	}
	in := saveCode(good)
	in.Base, in.BaseID = 1, empty.ID // what the public command line sends
	f, v, err := b.Save(t.Context(), dev, account, f.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	if f.LatestVersion != 1 || v.Number != 1 || v.ID != empty.ID {
		t.Errorf("saved as version %d with id %s, want version 1 with id %s", v.Number, v.ID, empty.ID)
	}
	f, v, err = b.Save(t.Context(), dev, account, f.ID, saveCode(better))
	if err != nil {
		t.Fatal(err)
	}
	if f.LatestVersion != 2 || v.Number != 2 || v.ID == empty.ID {
		t.Errorf("second save is version %d with id %s", v.Number, v.ID)
	}
	if _, first, err := b.Version(t.Context(), account, f.ID, 1); err != nil || first.Code != good {
		t.Errorf("version 1 is %+v, %v after the second save", first, err)
	}
}

func TestSaveChangesOnlyWhatIsGiven(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	code, contract := good, convoke.ContractV2
	f := b.createFrom(function.CreateInput{Name: "f", Content: function.Content{
		Code: &code, Contract: &contract,
		Files:       map[string]string{"text.js": "export default 1"},
		Environment: map[string]string{"A": "1"},
		Settings:    &convoke.Settings{MemoryMiB: 128},
	}})
	v := &convoke.Version{Code: good, Files: map[string]string{"text.js": "export default 1"}, Language: convoke.JavaScript,
		Contract: contract, Runtime: convoke.DefaultRuntime, Environment: map[string]string{"A": "1"}, Settings: convoke.Settings{MemoryMiB: 128}}

	text, auto, typed, node24 := better, convoke.Contract(""), convoke.TypeScript, "node24"
	for _, step := range []struct {
		what  string
		in    function.Content
		apply func()
	}{
		{"code", function.Content{Code: &text}, func() { v.Code = better }},
		{"environment", function.Content{Environment: map[string]string{"B": "2"}}, func() { v.Environment = map[string]string{"B": "2"} }},
		{"no environment", function.Content{Environment: map[string]string{}}, func() { v.Environment = nil }},
		{"no files", function.Content{Files: map[string]string{}}, func() { v.Files = nil }},
		{"contract", function.Content{Contract: &auto}, func() { v.Contract = "" }},
		{"language", function.Content{Language: &typed}, func() { v.Language = typed }},
		{"runtime", function.Content{Runtime: &node24}, func() { v.Runtime = node24 }},
		{"settings", function.Content{Settings: &convoke.Settings{}}, func() { v.Settings = convoke.Settings{} }},
		{"domains", function.Content{Domains: []string{"a.example.com"}}, func() { v.Domains = []string{"a.example.com"} }},
		{"no domain", function.Content{Domains: []string{}}, func() { v.Domains = []string{} }},
		{"all domains", function.Content{Domains: []string{function.AllDomains}}, func() { v.Domains = nil }},
	} {
		if _, _, err := b.Save(t.Context(), dev, account, f.ID, function.SaveInput{Content: step.in}); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		step.apply()
		_, got, err := b.Version(t.Context(), account, f.ID, function.Latest)
		if err != nil {
			t.Fatal(err)
		}
		if !got.SameContent(v) {
			t.Errorf("after saving %s (-want +got):\n%s", step.what, cmp.Diff(v, got))
		}
		_, _, err = b.Save(t.Context(), dev, account, f.ID, function.SaveInput{Content: step.in})
		b.wantCode(step.what+" again", err, convoke.CodeUnchanged)
	}
}

func TestSaveRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	f := b.create("f", good)
	colleague := &convoke.Principal{AccountID: account, Name: "colleague"}
	if _, _, err := b.Save(t.Context(), colleague, account, f.ID, saveCode(better)); err != nil {
		t.Fatal(err)
	}
	_, first, err := b.Version(t.Context(), account, f.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	save := func(change func(*function.SaveInput)) error {
		in := saveCode("async function lambda() {}")
		change(&in)
		_, _, err := b.Save(t.Context(), dev, account, f.ID, in)
		return err
	}
	none, ruby := "", convoke.Language("ruby")
	b.wantCode("stale number", save(func(in *function.SaveInput) { in.Base = 1 }), convoke.CodeRevision, "version 2 of f, saved by colleague at 20")
	b.wantCode("number to come", save(func(in *function.SaveInput) { in.Base = 3 }), convoke.CodeRevision)
	b.wantCode("stale id", save(func(in *function.SaveInput) { in.BaseID = first.ID }), convoke.CodeRevision)
	b.wantCode("no code", save(func(in *function.SaveInput) { in.Code = &none }), convoke.CodeValidation)
	b.wantCode("domain", save(func(in *function.SaveInput) { in.Domains = []string{"*", "a.example.com"} }), convoke.CodeInvalidDomain)
	b.wantCode("language", save(func(in *function.SaveInput) { in.Language = &ruby }), convoke.CodeValidation)
	code := func(text string) func(*function.SaveInput) {
		return func(in *function.SaveInput) { in.Code, in.Compiles = &text, true }
	}
	b.wantCode("broken code that has to compile", save(code("function lambda( {")), convoke.CodeValidationSyntax, "index.js:1:")
	b.wantCode("code without a lambda that has to compile", save(code("const x = 1")), convoke.CodeValidationLambda, "no function named lambda")
	if got := b.current(f); got.LatestVersion != 2 {
		t.Errorf("refused saves made version %d", got.LatestVersion)
	}
	b.wantCode("newest", save(func(in *function.SaveInput) { in.Base = 2 }), "")
	_, _, err = b.Save(t.Context(), dev, account, "00000000-0000-0000-0000-000000000000", saveCode(good))
	b.wantCode("unknown function", err, convoke.CodeFunctionNotFound)
}

func TestConcurrentSaves(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, test := range []struct {
		name        string
		base, saved int
	}{
		{"without_base_all_are_kept", 0, 6},
		{"with_one_base_one_wins", 1, 1},
	} {
		f := b.create(test.name, good)
		errs := make([]error, 6)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				in := saveCode(fmt.Sprintf("async function lambda() { return %d }", i))
				in.Base = test.base
				_, _, errs[i] = b.Save(t.Context(), dev, account, f.ID, in)
			})
		}
		wg.Wait()
		saved := 0
		for _, err := range errs {
			if err == nil {
				saved++
			} else {
				b.wantCode(test.name, err, convoke.CodeRevision, "saved by dev@example.com")
			}
		}
		if latest := b.current(f).LatestVersion; saved != test.saved || latest != 1+saved {
			t.Errorf("%s: %d saves were accepted and version %d is the newest", test.name, saved, latest)
		}
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	f := b.create("f", good)
	if _, _, err := b.Save(t.Context(), dev, account, f.ID, function.SaveInput{Content: function.Content{
		Files: map[string]string{"a.js": "1"}, Environment: map[string]string{"A": "1"}, Settings: &convoke.Settings{Concurrency: 2}, Domains: []string{}}}); err != nil {
		t.Fatal(err)
	}
	b.mustDeploy(f, 0)

	_, _, err := b.Restore(t.Context(), dev, account, f.ID, 2)
	b.wantCode("the newest", err, convoke.CodeUnchanged)
	_, _, err = b.Restore(t.Context(), dev, account, f.ID, 9)
	b.wantCode("unknown", err, convoke.CodeNotFound)

	got, v, err := b.Restore(t.Context(), dev, account, f.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, first, err := b.Version(t.Context(), account, f.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	if v.Number != 3 || v.ID == first.ID || !v.SameContent(first) {
		t.Errorf("restored as %+v, want version 3 with the content of %+v", v, first)
	}
	if got.State != convoke.StateModified || got.LiveVersion != 2 {
		t.Errorf("after the restore the function is %s and serves version %d, want Modified and 2", got.State, got.LiveVersion)
	}
}

// overtaken is a store where somebody else is always a little quicker, once.
type overtaken struct {
	function.Store
	by func()
}

func (s *overtaken) SaveVersion(ctx context.Context, v *convoke.Version, keep int, change func(*convoke.Function) error) (*convoke.Function, error) {
	if by := s.by; by != nil {
		s.by = nil
		by()
	}
	return s.Store.SaveVersion(ctx, v, keep, change)
}

func TestSaveThatIsOvertaken(t *testing.T) {
	t.Parallel()
	var store *overtaken
	b := setup(t, func(c *function.Config) {
		store = &overtaken{Store: c.Store}
		c.Store = store
	})
	colleague := &convoke.Principal{AccountID: account, Name: "colleague"}
	for _, test := range []struct {
		name   string
		base   int
		want   convoke.Code
		latest int
	}{
		{"builds_on_what_came", 0, "", 3},
		{"is_told_who_came", 1, convoke.CodeRevision, 2},
	} {
		f := b.create(test.name, good)
		store.by = func() {
			if _, _, err := b.Save(t.Context(), colleague, account, f.ID, function.SaveInput{
				Content: function.Content{Environment: map[string]string{"A": "1"}}}); err != nil {
				t.Error(err)
			}
		}
		in := saveCode(better)
		in.Base = test.base
		_, _, err := b.Save(t.Context(), dev, account, f.ID, in)
		b.wantCode(test.name, err, test.want)
		if test.want != "" {
			b.wantCode(test.name, err, test.want, "version 2 of is_told_who_came, saved by colleague")
		}
		_, v, err := b.Version(t.Context(), account, f.ID, function.Latest)
		if err != nil {
			t.Fatal(err)
		}
		if v.Number != test.latest || v.Environment["A"] != "1" {
			t.Errorf("%s: the newest is %+v, want number %d on top of the colleague's", test.name, v, test.latest)
		}
	}
}
