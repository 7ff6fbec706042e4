package convoke

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"time"
)

// Kinds of things whose change can be made to depend on their revision.
const (
	KindFunction = "function"
	KindAccount  = "account"
	KindUser     = "user"
	KindClient   = "client"
	KindSchedule = "schedule"
	KindSecret   = "secret"
)

// Condition is what a caller demands of one thing before a request changes it:
// that it still is what the caller has seen.
type Condition struct {
	Kind, ID string
	// Revisions are those that will do; with Any it only has to exist.
	Revisions []string
	Any       bool
}

type conditionKey struct{}

// WithCondition makes changes of that thing with the context depend on c. The
// store holds it, where it has the thing locked: whoever looked before and
// changed after could be overtaken in between.
func WithCondition(ctx context.Context, c Condition) context.Context {
	return context.WithValue(ctx, conditionKey{}, c)
}

// CheckCondition returns CodeConditionFailed when ctx demands another revision
// of the thing than it has; "" is that of a thing that is not there.
func CheckCondition(ctx context.Context, kind, id string, revision func() string) error {
	c, ok := ctx.Value(conditionKey{}).(Condition)
	if !ok || c.Kind != kind || c.ID != id {
		return nil
	}
	if is := revision(); is != "" && (c.Any || slices.Contains(c.Revisions, is)) {
		return nil
	}
	return Errorf(CodeConditionFailed, "the %s is not what it was when you read it: somebody has changed it; get it again, and repeat your change if it still makes sense", kind)
}

// Revision differs whenever somebody saves, deploys, undeploys or describes
// the function.
func (f *Function) Revision() string { return revision(f) }

// Revision differs whenever the account is changed.
func (a *Account) Revision() string { return revision(a) }

// Revision differs whenever somebody changes the user; to sign in does not.
func (u *User) Revision() string { return revision(u, "PasswordHash", "LastLoginAt") }

// Revision differs whenever somebody changes the client; its use does not.
func (c *Client) Revision() string { return revision(c, "LastUsedAt") }

// Revision differs whenever somebody changes the schedule; its runs do not.
func (s *Schedule) Revision() string {
	return revision(s, "NextAt", "LastAt", "LastRequestID", "LastFailed")
}

// Revision differs whenever somebody sets the secret. What is sealed is left
// out: another master key does not change what it says.
func (s *StoredSecret) Revision() string { return revision(s, "Sealed", "KeyID") }

// revision is a digest of what a struct holds, but for members that move by
// themselves. A store may make an empty list of none.
func revision(thing any, moving ...string) string {
	v := reflect.Indirect(reflect.ValueOf(thing))
	h := sha256.New()
	_, _ = io.WriteString(h, v.Type().Name()) // a hash takes all
	for field, value := range v.Fields() {
		if slices.Contains(moving, field.Name) {
			continue
		}
		switch value.Kind() {
		case reflect.Slice, reflect.Map:
			if value.Len() == 0 {
				continue
			}
		}
		fmt.Fprintf(h, "\n%s ", field.Name)
		if at, ok := value.Interface().(time.Time); ok {
			fmt.Fprint(h, at.UnixNano())
			continue
		}
		// What these types hold can always be encoded.
		_ = json.NewEncoder(h).Encode(value.Interface())
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
}
