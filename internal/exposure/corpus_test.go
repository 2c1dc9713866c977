package exposure_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"lambda-guardrail/internal/exposure"
	"lambda-guardrail/internal/iampolicy"
	"lambda-guardrail/testdata"
)

// policyFiles is the corpus: policies/LEVEL/NAME.json.
func policyFiles(t testing.TB) []string {
	t.Helper()
	files, err := fs.Glob(testdata.Files, "policies/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no corpus: ", err)
	}
	return files
}

func read(t testing.TB, file string) string {
	t.Helper()
	b, err := testdata.Files.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func parse(t testing.TB, policy string) iampolicy.Document {
	t.Helper()
	d, err := iampolicy.Parse(policy)
	if err != nil {
		t.Fatalf("%v\n%s", err, policy)
	}
	return d
}

// targetOf is what the documents of the corpus hang on: one of them was there
// before the rest, and names another function.
func targetOf(file string) exposure.Target {
	on := target
	if path.Base(file) == "principal-star.json" {
		on.Region, on.Function = "eu-central-1", "orders"
	}
	return on
}

// The folder is the level of the document. In a file each-... every Allow is of
// that level, in the others one is.
func TestCorpus(t *testing.T) {
	for _, file := range policyFiles(t) {
		folder := path.Base(path.Dir(file))
		t.Run(folder+"/"+strings.TrimSuffix(path.Base(file), ".json"), func(t *testing.T) {
			policy := read(t, file)
			d := parse(t, policy)
			on := targetOf(file)
			verdicts := exposure.Judge(d, on, exposure.Trust{}, now)
			if level := exposure.Worst(verdicts).String(); level != folder {
				t.Errorf("judged %s, is %s\n%s", level, folder, asJSON(t, verdicts))
			}
			if strings.HasPrefix(path.Base(file), "each-") {
				for i, v := range verdicts {
					if v.Level.String() != folder {
						t.Errorf("statement %s judged %v, is %s\n%s", d.Statements[i].Sid, v.Level, folder, asJSON(t, v))
					}
				}
			}
			for i := range verdicts {
				checkVerdict(t, policy, &d, i, on, verdicts[i], true)
			}
			checkStrangers(t, policy, on, verdicts, 400, 1)
		})
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// checkVerdict checks what must hold for each verdict: there are witnesses where
// the level says so, the policy allows each of them, and each is a request that a
// stranger can make.
func checkVerdict(t testing.TB, policy string, d *iampolicy.Document, statement int, on exposure.Target, v exposure.Verdict, strict bool) {
	t.Helper()
	letIn := v.Level == exposure.Public || v.Level == exposure.ConfusedDeputy
	if letIn && len(v.Strangers) == 0 || len(v.Strangers) > 0 && !letIn && v.Level != exposure.Undetermined {
		t.Fatalf("level %v with %d witnesses\n%s", v.Level, len(v.Strangers), policy)
	}
	if v.Access == nil || v.Strangers == nil || v.Reasons == nil {
		t.Fatalf("null instead of an empty list: %s\n%s", asJSON(t, v), policy)
	}
	if may := letIn || v.Level == exposure.Undetermined && d.Statements[statement].Problem == ""; may != (len(v.Access) > 0) {
		t.Fatalf("level %v, access %v\n%s", v.Level, v.Access, policy)
	}
	if len(v.Reasons) == 0 {
		t.Fatalf("level %v without a reason\n%s", v.Level, policy)
	}
	for _, r := range v.Reasons {
		if text := r.Text(); text == "" || strings.Contains(text, "DETAIL") || !strings.HasPrefix(r.Path(), "$.Statement[") {
			t.Fatalf("reason %s at %s says %q", r.Code, r.Path(), text)
		}
	}
	callers := false
	for i, w := range v.Strangers {
		if !service(w.Kind) {
			callers = true
		}
		for _, other := range v.Strangers[:i] {
			if other.Kind == w.Kind {
				t.Fatalf("two witnesses are %v\n%s", w.Kind, policy)
			}
		}
		if w.Sentence() == "" {
			t.Fatal("a witness without a sentence")
		}
		checkWitness(t, policy, d, statement, on, w, strict)
	}
	if callers != (v.Level == exposure.Public) {
		t.Fatalf("level %v, strangers %s", v.Level, asJSON(t, v.Strangers))
	}
}

func checkWitness(t testing.TB, policy string, d *iampolicy.Document, statement int, on exposure.Target, w exposure.Witness, strict bool) {
	t.Helper()
	doc, err := decode(policy)
	if err != nil {
		t.Fatal(err)
	}
	n := namesIn(doc)
	if c := contextOf(w); len(c) != len(w.Context) {
		t.Fatalf("witness has a key twice: %s", w.Sentence())
	}
	c := callOf(w, n, on)
	var mentioned []string
	for _, condition := range d.Statements[statement].Conditions {
		mentioned = append(mentioned, strings.ToLower(condition.Key))
	}
	if err := n.check(w.Kind, w.Service(), contextOf(w), mentioned, strict); err != nil {
		t.Fatalf("no stranger can make this request: %v\n%s\n%s", err, w.Sentence(), policy)
	}
	if !slices.Contains(reachable[w.Kind], w.Action) && (w.Kind != exposure.AnyPrincipal || w.Action == "lambda:InvokeFunctionUrl") {
		t.Fatalf("%v cannot call %s", w.Kind, w.Action)
	}
	got, err := evaluate(doc, c)
	if err != nil {
		// A neighbour that cannot be read: the statement and the Denies must do.
		if got, err = evaluate(without(doc, statement), c); err != nil {
			t.Fatalf("public beside what cannot be read: %v\n%s", err, policy)
		}
	}
	if got != allowed {
		t.Fatalf("the policy does not allow the witness (%v)\n%s\n%s", got, w.Sentence(), policy)
	}
}

// contextOf is what the witness says of the request.
func contextOf(w exposure.Witness) map[string][]string {
	context := map[string][]string{}
	for _, v := range w.Context {
		context[strings.ToLower(v.Key)] = v.Values
	}
	return context
}

// callOf is the request of a witness. What nothing is known of stays open; the
// organization of the function is one that nobody else is in.
func callOf(w exposure.Witness, n names, on exposure.Target) *call {
	c := &call{action: w.Action, resource: arnOf(on, w.Qualifier()), context: contextOf(w), opaque: map[string]bool{}}
	if service(w.Kind) {
		c.service, c.unnamed = w.Service(), w.Service() == ""
		if c.unnamed {
			c.service = "unnamed.amazonaws.com"
		}
	}
	for _, key := range n.keys {
		if _, there := c.context[key]; there || lookUp(key).of(w.Kind) != "?" {
			continue
		}
		switch key {
		case "aws:resourceorgid":
			c.context[key] = []string{"o-theowner00"}
		case "aws:resourceorgpaths":
			c.context[key] = []string{"o-theowner00/r-ab12/"}
		default:
			c.opaque[key] = true
		}
	}
	complete(c)
	return c
}

// complete adds what every request has and a witness need not tell: nothing that
// it does not mention can matter to what lets it in.
func complete(c *call) {
	for key, h := range stranger {
		if _, there := c.context[key]; !there && !c.opaque[key] && h.anonymous == h.by && !strings.HasSuffix(h.by, "|") && h.by != "any" && h.by != "?" && h.by != "-" {
			c.context[key] = []string{h.by}
		}
	}
}

// without leaves out the Allow statements but one.
func without(doc map[string]any, keep int) map[string]any {
	list, ok := doc["Statement"].([]any)
	if !ok {
		return doc
	}
	var left []any
	for i, each := range list {
		if s, ok := each.(map[string]any); i == keep || !ok || s["Effect"] != "Allow" {
			left = append(left, each)
		}
	}
	return map[string]any{"Version": doc["Version"], "Statement": left}
}

func arnOf(on exposure.Target, qualifier string) string {
	arn := "arn:" + on.Partition + ":lambda:" + on.Region + ":" + on.Account + ":function:" + on.Function
	if qualifier != "" {
		arn += ":" + qualifier
	}
	return arn
}

// reachable are the actions of each kind of stranger; any-principal has the others
// as well.
var reachable = map[exposure.Kind][]string{
	exposure.Anonymous:       {"lambda:InvokeFunction", "lambda:InvokeFunctionUrl"},
	exposure.AnyPrincipal:    {"lambda:InvokeFunction", "lambda:GetFunction", "lambda:UpdateFunctionCode", "lambda:DeleteFunction", "lambda:UpdateAlias"},
	exposure.AnyPrincipalURL: {"lambda:InvokeFunction", "lambda:InvokeFunctionUrl"},
	exposure.AnyService:      {"lambda:InvokeFunction"},
	exposure.AnyServiceURL:   {"lambda:InvokeFunction", "lambda:InvokeFunctionUrl"},
}

func service(k exposure.Kind) bool { return k == exposure.AnyService || k == exposure.AnyServiceURL }

// checkStrangers tries random requests of strangers on a document that is judged to
// keep them out.
func checkStrangers(t testing.TB, policy string, on exposure.Target, verdicts []exposure.Verdict, tries int, seed uint64) {
	t.Helper()
	if err := strangersTry(t, policy, on, verdicts, tries, seed); err != nil {
		t.Fatalf("%v\n%s", err, policy)
	}
}

// strangersTry returns an error if the evaluator cannot read the policy.
func strangersTry(t testing.TB, policy string, on exposure.Target, verdicts []exposure.Verdict, tries int, seed uint64) error {
	t.Helper()
	level := exposure.Worst(verdicts)
	if level == exposure.Public || level == exposure.Undetermined {
		return nil
	}
	doc, err := decode(policy)
	if err != nil {
		return err
	}
	n := namesIn(doc)
	r := random(seed)
	qualifiers := []string{"", "", "live", "4711", "v", "v7", "prod-x"}
	if on.Qualifier != "" {
		qualifiers = []string{on.Qualifier}
	}
	for range tries {
		kind := exposure.Kind(r.IntN(5))
		if level == exposure.ConfusedDeputy && service(kind) {
			continue
		}
		caller := ""
		switch {
		case kind == exposure.AnyServiceURL:
			caller = "cloudfront.amazonaws.com"
		case kind == exposure.AnyService && len(n.services) > 0:
			caller = n.services[r.IntN(len(n.services))]
		}
		actions := reachable[kind]
		c := n.draw(r, kind, caller, actions[r.IntN(len(actions))], arnOf(on, qualifiers[r.IntN(len(qualifiers))]))
		got, err := evaluate(doc, c)
		if err != nil {
			return fmt.Errorf("judged %v, which cannot be read: %w", level, err)
		}
		if got == allowed {
			t.Fatalf("judged %v, but %v (%s) can call %s on %s with %v\n%s\n%s", level, kind, c.service, c.action, c.resource, c.context, policy, asJSON(t, verdicts))
		}
	}
	return nil
}

// Labelled cases of other people, where they lie beside the checkout: one JSON
// object a line with id, account, policy, expected (public or not-public) and why.
func TestLabelledCases(t *testing.T) {
	f, err := os.Open("../../../shared/policies/cases.jsonl")
	if err != nil {
		t.Skip("none beside the checkout: ", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c struct {
			ID, Account, Expected, Why string
			Policy                     json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.ID, func(t *testing.T) {
			policy := string(c.Policy)
			d := parse(t, policy)
			// With the function known, and with the account alone.
			for _, on := range []exposure.Target{target, {Account: c.Account}} {
				vs := exposure.Judge(d, on, exposure.Trust{}, now)
				level := exposure.Worst(vs)
				switch {
				case c.Expected == "public" && level != exposure.Public,
					c.Expected == "not-public" && (level == exposure.Public || level == exposure.Undetermined):
					t.Errorf("level %v, want %s (%s)\n%s\n%s", level, c.Expected, c.Why, policy, asJSON(t, vs))
				}
				if on.Function != "" {
					for i := range vs {
						checkVerdict(t, policy, &d, i, on, vs[i], true)
					}
					checkStrangers(t, policy, on, vs, 400, 1)
				}
			}
		})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}
