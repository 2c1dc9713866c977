package guard_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/guard"
	"lambda-guardrail/internal/guard/guardtest"
)

const schemaFile = "finding.schema.json"

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	s, err := compiler.Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, text []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(value); err != nil {
		t.Error(err)
	}
}

func TestFindingsAreAsTheSchemaSays(t *testing.T) {
	s := schema(t)
	for _, x := range guardtest.Examples() {
		t.Run(x.Name, func(t *testing.T) {
			text, err := json.Marshal(x.Finding)
			if err != nil {
				t.Fatal(err)
			}
			validate(t, s, text)
			golden, err := os.ReadFile(filepath.Join("..", "..", "testdata", "findings", x.Name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			validate(t, s, golden)
		})
	}
}

func TestTheSchemaRefusesWhatIsNoFinding(t *testing.T) {
	s := schema(t)
	text, err := json.Marshal(guardtest.Examples()[0].Finding)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(map[string]any){
		"a member that there is not":   func(f map[string]any) { f["colour"] = "red" },
		"a member that is missing":     func(f map[string]any) { delete(f, "outcome") },
		"an outcome that is none":      func(f map[string]any) { f["outcome"] = "ignored" },
		"a later major version":        func(f map[string]any) { f["schemaVersion"] = "2.0" },
		"a level that is not reported": func(f map[string]any) { f["verdict"].(map[string]any)["level"] = "restricted" },
		"a time that is none":          func(f map[string]any) { f["openedAt"] = "yesterday" },
	} {
		t.Run(name, func(t *testing.T) {
			var f map[string]any
			if err := json.Unmarshal(text, &f); err != nil {
				t.Fatal(err)
			}
			spoil(f)
			if s.Validate(f) == nil {
				t.Error("accepted")
			}
		})
	}
}

// object is what the schema says of one.
type object struct {
	AdditionalProperties any
	Required             []string
	Properties           map[string]struct {
		Description string
		Ref         string `json:"$ref"`
		Enum        []string
	}
	Enum []string
	Defs map[string]object `json:"$defs"`
}

func TestTheSchemaHasTheMembersThatFindingsHave(t *testing.T) {
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var root object
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	for name, is := range map[string]struct {
		in   object
		like any
	}{
		"a finding":      {root, guard.Finding{}},
		"a function URL": {root.Defs["functionUrl"], guard.FunctionURL{}},
		"beside":         {root.Defs["beside"], guard.Beside{}},
		"a verdict":      {root.Defs["verdict"], exposure.Verdict{}},
		"an exemption":   {root.Defs["exemption"], guard.Exemption{}},
		"an actor":       {root.Defs["actor"], guard.Actor{}},
	} {
		t.Run(name, func(t *testing.T) {
			all, always := members(reflect.TypeOf(is.like))
			if diff := cmp.Diff(all, slices.Sorted(maps.Keys(is.in.Properties))); diff != "" {
				t.Errorf("members (-Go +schema): %s", diff)
			}
			if diff := cmp.Diff(always, slices.Sorted(slices.Values(is.in.Required))); diff != "" {
				t.Errorf("members that are always there (-Go +schema): %s", diff)
			}
		})
	}
	t.Run("of what writes its own JSON, each occurs in an example", func(t *testing.T) {
		seen := map[string]map[string]bool{"resource": {}, "witness": {}, "reason": {}}
		see := func(in string, value any) {
			for name := range value.(map[string]any) {
				seen[in][name] = true
			}
		}
		for _, x := range guardtest.Examples() {
			text, err := json.Marshal(x.Finding)
			if err != nil {
				t.Fatal(err)
			}
			var f map[string]any
			if err := json.Unmarshal(text, &f); err != nil {
				t.Fatal(err)
			}
			see("resource", f["resource"])
			for _, one := range f["verdict"].(map[string]any)["strangers"].([]any) {
				see("witness", one)
			}
			for _, one := range f["verdict"].(map[string]any)["reasons"].([]any) {
				see("reason", one)
			}
		}
		for name, members := range seen {
			if diff := cmp.Diff(slices.Sorted(maps.Keys(root.Defs[name].Properties)), slices.Sorted(maps.Keys(members))); diff != "" {
				t.Errorf("%s (-schema +seen): %s", name, diff)
			}
		}
	})
	t.Run("each object is closed, and each member described", func(t *testing.T) {
		objects := maps.Clone(root.Defs)
		objects["the finding"] = root
		for in, o := range objects {
			if o.Properties != nil && o.AdditionalProperties != false {
				t.Errorf("%s is open", in)
			}
			for name, p := range o.Properties {
				if p.Description == "" && p.Ref == "" {
					t.Errorf("%s of %s has no description", name, in)
				}
			}
		}
	})
	t.Run("severities", func(t *testing.T) {
		var want []string
		for _, s := range guard.Severities() {
			want = append(want, s.String())
		}
		if diff := cmp.Diff(want, root.Properties["severity"].Enum); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("outcomes", func(t *testing.T) {
		want := []guard.Outcome{guard.Audited, guard.Exempt, guard.NeedsReview, guard.Reverted, guard.AlreadyGone, guard.Failed}
		var got []guard.Outcome
		for _, name := range root.Defs["outcome"].Enum {
			got = append(got, guard.Outcome(name))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// members returns the JSON names of a struct's fields: all, and those that are
// there even when they are empty.
func members(of reflect.Type) (all, always []string) {
	for field := range of.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		all = append(all, name)
		if options == "" {
			always = append(always, name)
		}
	}
	slices.Sort(all)
	slices.Sort(always)
	return all, always
}
