package convoke

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"
)

// TestRevisions changes every member of every thing: the revision differs,
// unless the member moves by itself.
func TestRevisions(t *testing.T) {
	t.Parallel()
	type revised interface{ Revision() string }
	seen := map[string]bool{}
	for thing, moving := range map[revised][]string{
		&Function{}: nil, &Account{}: nil,
		&User{}:         {"PasswordHash", "LastLoginAt"}, // a new password moves UpdatedAt
		&Client{}:       {"LastUsedAt"},
		&Schedule{}:     {"NextAt", "LastAt", "LastRequestID", "LastFailed"},
		&StoredSecret{}: {"Sealed", "KeyID"},
	} {
		v := reflect.ValueOf(thing).Elem()
		empty := thing.Revision()
		if seen[empty] || len(empty) != 16 {
			t.Errorf("%T has the revision %q", thing, empty)
		}
		seen[empty] = true
		for field, member := range v.Fields() {
			before := reflect.New(member.Type()).Elem()
			change(t, member)
			if same := thing.Revision() == empty; same != slices.Contains(moving, field.Name) {
				t.Errorf("%T.%s: the revision stays: %v", thing, field.Name, same)
			}
			member.Set(before)
		}
		// Stores make an empty list of none.
		for _, member := range v.Fields() {
			if member.Kind() == reflect.Slice {
				member.Set(reflect.MakeSlice(member.Type(), 0, 0))
			}
		}
		if thing.Revision() != empty {
			t.Errorf("%T: empty lists count", thing)
		}
	}
}

func change(t *testing.T, v reflect.Value) {
	t.Helper()
	if _, ok := v.Interface().(time.Time); ok {
		v.Set(reflect.ValueOf(time.Unix(0, 1)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1)
	case reflect.Uint32:
		v.SetUint(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		if v.Type() == reflect.TypeFor[[]byte]() || v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("1"))
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"a": "b"}))
	case reflect.Struct:
		change(t, v.Field(0))
	default:
		t.Fatalf("what is another %s?", v.Type())
	}
}

func TestCheckCondition(t *testing.T) {
	t.Parallel()
	is := func(r string) func() string { return func() string { return r } }
	for name, c := range map[string]struct {
		condition *Condition
		revision  string
		fails     bool
	}{
		"none":          {nil, "r1", false},
		"it":            {&Condition{Kind: KindUser, ID: "u", Revisions: []string{"r0", "r1"}}, "r1", false},
		"changed":       {&Condition{Kind: KindUser, ID: "u", Revisions: []string{"r0"}}, "r1", true},
		"no revision":   {&Condition{Kind: KindUser, ID: "u"}, "r1", true},
		"any":           {&Condition{Kind: KindUser, ID: "u", Any: true}, "r1", false},
		"any of none":   {&Condition{Kind: KindUser, ID: "u", Any: true}, "", true},
		"none, not it":  {&Condition{Kind: KindUser, ID: "u", Revisions: []string{""}}, "", true},
		"another user":  {&Condition{Kind: KindUser, ID: "v", Revisions: []string{"r0"}}, "r1", false},
		"another thing": {&Condition{Kind: KindClient, ID: "u", Revisions: []string{"r0"}}, "r1", false},
	} {
		ctx := context.Background()
		if c.condition != nil {
			ctx = WithCondition(ctx, *c.condition)
		}
		if err := CheckCondition(ctx, KindUser, "u", is(c.revision)); (ErrorCode(err) == CodeConditionFailed) != c.fails {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}
