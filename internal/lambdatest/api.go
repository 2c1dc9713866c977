package lambdatest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
)

// Call is a call that came in.
type Call struct {
	Operation  string // "RemovePermission"
	Resource   string // qualified ARN; "" if the operation names none
	Statement  string // the Sid, of AddPermission and RemovePermission
	RevisionID string // as given; "" if none
	UserAgent  string
	Status     int // of the answer; 0 if there was none
}

// Calls returns what came in since the account was made, or since Forget, in
// order of arrival. Throttled and failing calls are among them.
func (a *Account) Calls() []Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]Call, len(a.calls))
	for i, c := range a.calls {
		all[i] = *c
	}
	return all
}

// Counts returns how many calls came in since the account was made, or since
// Forget, by operation.
func (a *Account) Counts() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.counts)
}

// Forget empties the log of calls, and counts anew.
func (a *Account) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = nil
	clear(a.counts)
}

// operation is a row of the API: what is called how, what it cannot do without,
// and the status of its success.
type operation struct {
	name, method, path string
	required           []string
	status             int
	do                 func(*Account, target, parameters) (any, *apiError)
}

var operations = []operation{
	{"GetPolicy", "GET", "/2015-03-31/functions/{FunctionName}/policy", nil, 200, (*Account).getPolicy},
	{"AddPermission", "POST", "/2015-03-31/functions/{FunctionName}/policy", []string{"Action", "Principal", "StatementId"}, 201, (*Account).addPermission},
	{"RemovePermission", "DELETE", "/2015-03-31/functions/{FunctionName}/policy/{StatementId}", nil, 204, (*Account).removePermission},

	{"GetResourcePolicy", "GET", "/2026-07-09/resource-policy/{ResourceArn}", nil, 200, (*Account).getPolicy},
	{"PutResourcePolicy", "PUT", "/2026-07-09/resource-policy/{ResourceArn}", []string{"Policy"}, 200, (*Account).putResourcePolicy},
	{"DeleteResourcePolicy", "DELETE", "/2026-07-09/resource-policy/{ResourceArn}", nil, 204, (*Account).deleteResourcePolicy},

	{"GetFunctionUrlConfig", "GET", "/2021-10-31/functions/{FunctionName}/url", nil, 200, (*Account).getFunctionURLConfig},
	{"CreateFunctionUrlConfig", "POST", "/2021-10-31/functions/{FunctionName}/url", []string{"AuthType"}, 201, (*Account).createFunctionURLConfig},
	{"UpdateFunctionUrlConfig", "PUT", "/2021-10-31/functions/{FunctionName}/url", nil, 200, (*Account).updateFunctionURLConfig},
	{"DeleteFunctionUrlConfig", "DELETE", "/2021-10-31/functions/{FunctionName}/url", nil, 204, (*Account).deleteFunctionURLConfig},

	{"ListFunctions", "GET", "/2015-03-31/functions", nil, 200, (*Account).listFunctions},
	{"ListVersionsByFunction", "GET", "/2015-03-31/functions/{FunctionName}/versions", nil, 200, (*Account).listVersions},
	{"ListAliases", "GET", "/2015-03-31/functions/{FunctionName}/aliases", nil, 200, (*Account).listAliases},

	{"CreateFunction", "POST", "/2015-03-31/functions", []string{"FunctionName"}, 201, (*Account).createFunction},
	{"DeleteFunction", "DELETE", "/2015-03-31/functions/{FunctionName}", nil, 204, (*Account).deleteFunction},
	{"GetFunctionConfiguration", "GET", "/2015-03-31/functions/{FunctionName}/configuration", nil, 200, (*Account).getFunctionConfiguration},
	{"UpdateFunctionConfiguration", "PUT", "/2015-03-31/functions/{FunctionName}/configuration", nil, 200, (*Account).updateFunctionConfiguration},
	{"PublishVersion", "POST", "/2015-03-31/functions/{FunctionName}/versions", nil, 201, (*Account).publishVersion},
	{"PutFunctionConcurrency", "PUT", "/2017-10-31/functions/{FunctionName}/concurrency", []string{"ReservedConcurrentExecutions"}, 200, (*Account).putFunctionConcurrency},
	{"ListTags", "GET", "/2017-03-31/tags/{ResourceArn}", nil, 200, (*Account).listTags},
	{"CreateAlias", "POST", "/2015-03-31/functions/{FunctionName}/aliases", []string{"Name", "FunctionVersion"}, 201, (*Account).createAlias},
	{"GetAlias", "GET", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", nil, 200, (*Account).getAlias},
}

// functionName takes a name apart: what stands before it, the function, the
// qualifier.
var functionName = regexp.MustCompile(`^(arn:[a-z0-9-]+:lambda:[a-z0-9-]+:\d{12}:function:|\d{12}:function:)?([a-zA-Z0-9_-]{1,64})(?::(\$LATEST|[a-zA-Z0-9_-]{1,128}))?$`)

// patterns are what parameters have to look like; a key without an operation
// holds for all of them. From https://docs.aws.amazon.com/lambda/latest/api/
var patterns = map[string]*regexp.Regexp{
	"FunctionName":                 functionName,
	"ResourceArn":                  regexp.MustCompile(`^arn:[a-z0-9-]+:lambda:[a-z0-9-]+:\d{12}:function:[a-zA-Z0-9_-]{1,64}(:(\$LATEST|[a-zA-Z0-9_-]{1,128}))?$`),
	"Qualifier":                    regexp.MustCompile(`^[a-zA-Z0-9$_-]{1,128}$`),
	"Action":                       regexp.MustCompile(`^(lambda:[*]|lambda:[a-zA-Z]+|[*])$`),
	"Principal":                    regexp.MustCompile(`^[^\s]+$`),
	"RemovePermission.StatementId": regexp.MustCompile(`^[a-zA-Z0-9-_.]{1,100}$`),
	"AddPermission.StatementId":    regexp.MustCompile(`^[a-zA-Z0-9-_]{1,100}$`),
	"SourceArn":                    regexp.MustCompile(`^arn:(aws[a-zA-Z0-9-]*):[a-zA-Z0-9-]+:[a-z0-9-]*:(\d{12})?:.*$`),
	"SourceAccount":                regexp.MustCompile(`^\d{12}$`),
	"EventSourceToken":             regexp.MustCompile(`^[a-zA-Z0-9._-]{0,256}$`),
	"PrincipalOrgID":               regexp.MustCompile(`^o-[a-z0-9]{10,32}$`),
	"FunctionUrlAuthType":          regexp.MustCompile(`^(NONE|AWS_IAM)$`),
	"AuthType":                     regexp.MustCompile(`^(NONE|AWS_IAM)$`),
	"Name":                         regexp.MustCompile(`^[a-zA-Z0-9_-]*[a-zA-Z_-][a-zA-Z0-9_-]*$`),
	"FunctionVersion":              regexp.MustCompile(`^(\$LATEST|\d+|ALL)$`),
	"MaxItems":                     regexp.MustCompile(`^[1-9]\d{0,4}$`),
}

// parameters are those of path, query and body together: no operation has one
// name twice. Objects of the body are JSON; lists are left out.
type parameters map[string]string

func read(r *http.Request) (parameters, *apiError) {
	in := parameters{}
	for name, values := range r.URL.Query() {
		in[name] = values[0]
	}
	for _, name := range []string{"FunctionName", "StatementId", "ResourceArn", "Name"} {
		if v := r.PathValue(name); v != "" {
			in[name] = v
		}
	}
	text, err := io.ReadAll(r.Body)
	if err != nil || len(text) == 0 {
		return in, nil
	}
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		return in, &apiError{400, "SerializationException", "The body is not a JSON object: " + err.Error()}
	}
	for name, v := range body {
		switch v.(type) {
		case string, bool, float64:
			in[name] = fmt.Sprint(v)
		case map[string]any:
			in[name] = compact(v)
		}
	}
	return in, nil
}

func (op *operation) validate(in parameters) *apiError {
	for _, name := range op.required {
		if in[name] == "" {
			return invalid("null", name, "Member must not be null")
		}
	}
	for name, value := range in {
		pattern := patterns[op.name+"."+name]
		if pattern == nil {
			pattern = patterns[name]
		}
		if pattern != nil && !pattern.MatchString(value) {
			return invalid("'"+value+"'", name, "Member must satisfy regular expression pattern: "+pattern.String())
		}
	}
	return nil
}

func invalid(value, parameter, constraint string) *apiError {
	return &apiError{400, "ValidationException", fmt.Sprintf("1 validation error detected: Value %s at '%s' failed to satisfy constraint: %s",
		value, strings.ToLower(parameter[:1])+parameter[1:], constraint)}
}

// apiError is an error as Lambda answers it.
type apiError struct {
	status        int
	code, message string
}

// body is JSON, but for an error without a code: that is not of Lambda's making.
func (e *apiError) body() any {
	switch {
	case e.code == "":
		return []byte(e.message)
	case e.status == http.StatusTooManyRequests:
		return map[string]string{"Reason": "CallerRateLimitExceeded", "Type": "User", "message": e.message}
	case e.status >= http.StatusInternalServerError:
		return map[string]string{"Type": "Service", "Message": e.message}
	default:
		return map[string]string{"Type": "User", "Message": e.message}
	}
}

// newMux routes calls to their operations.
func (a *Account) newMux() *http.ServeMux {
	mux := http.NewServeMux()
	for i := range operations {
		op := &operations[i]
		mux.HandleFunc(op.method+" "+op.path, func(w http.ResponseWriter, r *http.Request) { a.serve(op, w, r) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, &Call{}, 0, nil, &apiError{404, "UnknownOperationException", "lambdatest has no operation " + r.Method + " " + r.URL.EscapedPath()})
	})
	return mux
}

// ServeHTTP implements [http.Handler]. Where an answer is to be lost it panics
// with [http.ErrAbortHandler], upon which a server closes the connection.
func (a *Account) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

func (a *Account) serve(op *operation, w http.ResponseWriter, r *http.Request) {
	in, err := read(r)
	call := a.log(op, in, r.UserAgent())
	if a.throttled(op.name) {
		a.answer(w, call, 0, nil, answers[Throttle])
		return
	}
	fault := a.fault(*call)
	if fault.Delay > 0 && a.sleep(r.Context(), fault.Delay) != nil {
		panic(http.ErrAbortHandler)
	}
	if fault.Do != nil {
		fault.Do()
	}

	var out any
	if err == nil && (fault.Applied || !fault.Kind.fails()) {
		out, err = a.carryOut(op, in, fault.Kind)
		a.hear(r, *call, in, op.status, out, err)
	}
	switch fault.Kind {
	case Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case Drop:
		panic(http.ErrAbortHandler)
	}
	if own := answers[fault.Kind]; own != nil {
		err = own
	}
	a.answer(w, call, op.status, out, err)
}

// log writes the call down. Its Status follows when there is an answer.
func (a *Account) log(op *operation, in parameters, userAgent string) *Call {
	c := &Call{Operation: op.name, Statement: in["StatementId"], RevisionID: in["RevisionId"], UserAgent: userAgent}
	a.mu.Lock()
	defer a.mu.Unlock()
	if t, err := a.resolve(in); err == nil && t != (target{}) {
		c.Resource = a.arn(t)
	}
	a.counts[op.name]++
	if !a.CountOnly {
		a.calls = append(a.calls, c)
	}
	return c
}

func (a *Account) carryOut(op *operation, in parameters, kind Kind) (any, *apiError) {
	if err := op.validate(in); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t, err := a.resolve(in)
	if err != nil {
		return nil, err
	}
	r := a.find(t)
	if r == nil {
		return op.do(a, t, in)
	}
	if kind == Stale && op.method == http.MethodGet {
		now := *r
		r.current = r.previous
		defer func() { *r = now }()
	}
	before := r.current.policy
	out, err := op.do(a, t, in)
	if kind == LoseNeighbour && err == nil {
		r.current.policy = loseNeighbour(before, r.current.policy)
	}
	if kind == FailUpdate && err == nil {
		r.updateFailed = true
	}
	return out, err
}

// resolve returns the resource that the parameters name; the zero target if
// the operation names none.
func (a *Account) resolve(in parameters) (target, *apiError) {
	name := in["FunctionName"] + in["ResourceArn"] // no operation has both
	if name == "" {
		return target{}, nil
	}
	m := functionName.FindStringSubmatch(name)
	if m == nil {
		return target{}, invalid("'"+name+"'", "FunctionName", "Member must satisfy regular expression pattern: "+functionName.String())
	}
	place, t := m[1], target{function: m[2], qualifier: m[3]}
	if ours := a.arn(target{}); !strings.HasSuffix(ours, place) {
		return target{}, &apiError{404, "ResourceNotFoundException", "Functions of " + place + " are not reachable here, at " + ours}
	}
	if q := in["Qualifier"]; q != "" {
		if t.qualifier != "" && t.qualifier != q {
			return target{}, &apiError{400, "InvalidParameterValueException", "The derived qualifier from the function name does not match the specified qualifier."}
		}
		t.qualifier = q
	}
	return t, nil
}

func (a *Account) answer(w http.ResponseWriter, c *Call, status int, out any, err *apiError) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		status, out = err.status, err.body()
		w.Header().Set("X-Amzn-Errortype", err.code)
	}
	a.mu.Lock()
	c.Status = status
	a.mu.Unlock()

	w.WriteHeader(status)
	switch out := out.(type) {
	case nil:
	case []byte:
		w.Write(out)
	default:
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.Encode(out)
	}
}
