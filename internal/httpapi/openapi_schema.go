package httpapi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"convoke"
	"convoke/api"
)

type schema struct {
	Ref                  string            `json:"$ref,omitempty"`
	Description          string            `json:"description,omitempty"`
	Type                 kinds             `json:"type,omitempty"`
	Format               string            `json:"format,omitempty"`
	Enum                 []string          `json:"enum,omitempty"`
	AnyOf                []schema          `json:"anyOf,omitempty"`
	Items                *schema           `json:"items,omitempty"`
	Properties           map[string]schema `json:"properties,omitempty"`
	PropertyNames        *schema           `json:"propertyNames,omitempty"`
	AdditionalProperties *schema           `json:"additionalProperties,omitempty"`
	Required             []string          `json:"required,omitempty"`
}

// kinds are the types that a value may have; mostly it is one.
type kinds []string

func (k kinds) MarshalJSON() ([]byte, error) {
	if len(k) == 1 {
		return json.Marshal(k[0])
	}
	return json.Marshal([]string(k))
}

// UnmarshalJSON is for tests, which read what is served.
func (k *kinds) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*k = kinds{""}
		return json.Unmarshal(b, &(*k)[0])
	}
	return json.Unmarshal(b, (*[]string)(k))
}

// enums are the closed sets of texts, by the name that a member's tag enum
// gives them: the very lists that the server checks against.
var enums = map[string][]string{
	"accountLimit":    convoke.AccountLimits{}.Names(),
	"callOutcome":     texts(convoke.CallOutcomes),
	"contract":        texts(convoke.Contracts),
	"deploymentState": texts(convoke.DeploymentStates),
	"generation":      texts(convoke.Generations),
	"grantType":       texts(convoke.GrantTypes),
	"grantedScope":    append(scopes(), string(convoke.ScopeUser)),
	"identityKind":    {api.IdentitySession, api.IdentityToken},
	"language":        texts(convoke.Languages),
	"logLevel":        texts(convoke.LogLevels),
	"logSource":       texts(convoke.LogSources),
	"outcome":         texts(convoke.Outcomes),
	"permission":      texts(convoke.Permissions),
	"role":            texts(convoke.Roles),
	"runState":        texts(convoke.RunStates),
	"runtime":         convoke.RuntimeNames(),
	"scheduleState":   {api.ScheduleActive, api.SchedulePaused},
	"scope":           scopes(),
	"secretType":      texts(convoke.SecretTypes),
	"sessionKind":     texts(convoke.SessionKinds),
	"state":           texts(convoke.States),
	"tokenGrant":      append(texts(convoke.GrantTypes), api.GrantRefresh),
	"tokenType":       {api.TokenBearer, api.TokenDPoP},
	"authorizeAction": api.AuthorizeActions,
	"limitUnit":       api.LimitUnits,
}

func scopes() []string {
	out := make([]string, len(convoke.Scopes))
	for i, s := range convoke.Scopes {
		out[i] = string(s.Scope)
	}
	return out
}

// descriptionsFile holds the comments of the wire types by type and by
// type.Member; go test -update writes it anew from their source.
//
//go:embed descriptions.json
var descriptionsFile []byte

var descriptions = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	// The file is part of the program and a test reads it.
	_ = json.Unmarshal(descriptionsFile, &all)
	return all
})

// commonMembers are what members mean that mean the same in every type.
var commonMembers = map[string]string{
	"createdAt": "when it was made",
	"createdBy": "who made it",
	"updatedAt": "when it was changed last",
	"updatedBy": "who changed it last",
}

func (d *describer) body(mediaType string, v any) map[string]media {
	if v == anyValue {
		return map[string]media{mediaType: {}}
	}
	return map[string]media{mediaType: {Schema: d.of(v)}}
}

// of is the schema of v's type.
func (d *describer) of(v any) schema { return d.schema(reflect.TypeOf(v)) }

// schema is that of t; a struct is described once and referred to.
func (d *describer) schema(t reflect.Type) schema {
	switch {
	case t == reflect.TypeFor[api.Time]():
		return schema{Type: kinds{"string"}, Format: "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return schema{} // any JSON
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schema(t.Elem())
	case reflect.Bool:
		return schema{Type: kinds{"boolean"}}
	case reflect.Int:
		return schema{Type: kinds{"integer"}}
	case reflect.Int64:
		return schema{Type: kinds{"integer"}, Format: "int64"}
	case reflect.Float64:
		return schema{Type: kinds{"number"}}
	case reflect.String:
		return schema{Type: kinds{"string"}}
	case reflect.Slice:
		items := d.schema(t.Elem())
		return schema{Type: kinds{"array"}, Items: &items}
	case reflect.Map:
		values := d.schema(t.Elem())
		return schema{Type: kinds{"object"}, AdditionalProperties: &values}
	case reflect.Struct:
		return d.object(t)
	default:
		panic(fmt.Sprintf("httpapi: a wire type holds a %s, which the API document cannot describe", t))
	}
}

func (d *describer) object(t reflect.Type) schema {
	name := t.Name()
	if name == "" { // a struct within another
		out := schema{Type: kinds{"object"}, Properties: map[string]schema{}}
		d.members(t, &out)
		return out
	}
	if _, known := d.schemas[name]; !known {
		d.schemas[name] = schema{} // in case the type refers to itself
		d.types[name] = t.String()
		out := schema{Description: descriptions()[name], Type: kinds{"object"}, Properties: map[string]schema{}}
		d.members(t, &out)
		d.schemas[name] = out
	}
	if d.types[name] != t.String() {
		panic(fmt.Sprintf("httpapi: the API document would mistake %s for %s", t, d.types[name]))
	}
	return schema{Ref: "#/components/schemas/" + name}
}

func (d *describer) members(t reflect.Type, out *schema) {
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		if f.Anonymous && tag == "" {
			d.members(f.Type, out)
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			panic(fmt.Sprintf("httpapi: member %s of %s has no JSON name", f.Name, t))
		}
		if name == "-" {
			continue // a header
		}
		member := d.schema(f.Type)
		if set := f.Tag.Get("enum"); set != "" {
			member = member.withEnum(set)
		}
		if f.Tag.Get("null") != "" {
			member = member.orNull()
		}
		member.Description = descriptions()[t.Name()+"."+f.Name]
		if member.Description == "" {
			member.Description = commonMembers[name]
		}
		out.Properties[name] = member
		if !strings.Contains(options, "omit") {
			out.Required = append(out.Required, name)
		}
	}
}

// withEnum keeps a text, the elements of a list or the names of a map to a set.
func (s schema) withEnum(set string) schema {
	values, ok := enums[set]
	if !ok {
		panic("httpapi: there is no set " + set)
	}
	switch {
	case s.Items != nil:
		s.Items.Enum = values
	case s.AdditionalProperties != nil:
		s.PropertyNames = &schema{Enum: values}
	default:
		s.Enum = values
	}
	return s
}

// orNull is s or null.
func (s schema) orNull() schema {
	if s.Ref != "" {
		return schema{AnyOf: []schema{s, {Type: kinds{"null"}}}}
	}
	s.Type = append(slices.Clone(s.Type), "null")
	return s
}
