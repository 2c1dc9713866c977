package lambdatest

import (
	"encoding/json"
	"maps"
	"strconv"
)

// Tags returns the tags of a function; nil if it does not exist.
func (a *Account) Tags(name string) map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.find(parse(name)); r != nil {
		return maps.Clone(r.tags)
	}
	return nil
}

// Concurrency returns how many executions are reserved for a function; false if
// none are.
func (a *Account) Concurrency(name string) (int, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.find(parse(name)); r != nil && r.concurrency != nil {
		return *r.concurrency, true
	}
	return 0, false
}

// describe keeps what CreateFunction says of a function.
func (r *resource) describe(in parameters) *apiError {
	r.description, r.role, r.tags = in["Description"], in["Role"], map[string]string{}
	if text := in["Tags"]; text != "" {
		if err := json.Unmarshal([]byte(text), &r.tags); err != nil {
			return &apiError{400, "SerializationException", "The Tags cannot be read: " + err.Error()}
		}
	}
	return nil
}

func (a *Account) listTags(t target, _ parameters) (any, *apiError) {
	r := a.find(t)
	if r == nil {
		return nil, notFound("Function not found: " + a.arn(t))
	}
	return map[string]any{"Tags": r.tags}, nil
}

func (a *Account) putFunctionConcurrency(t target, in parameters) (any, *apiError) {
	r := a.find(t)
	if r == nil {
		return nil, notFound("Function not found: " + a.arn(t))
	}
	n, err := strconv.Atoi(in["ReservedConcurrentExecutions"])
	if err != nil || n < 0 {
		return nil, invalid("'"+in["ReservedConcurrentExecutions"]+"'", "ReservedConcurrentExecutions", "Member must have value greater than or equal to 0")
	}
	r.concurrency = &n
	a.change(r, r.current.policy)
	return map[string]any{"ReservedConcurrentExecutions": n}, nil
}

// Names returns the names of the functions, in order.
func (a *Account) Names() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return sortedKeys(a.functions)
}
