package lambdatest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// isVersion reports whether a qualifier is a version; others are aliases.
var isVersion = regexp.MustCompile(`^\d+$`).MatchString

func (a *Account) createFunction(t target, in parameters) (any, *apiError) {
	if a.find(t) != nil {
		return nil, &apiError{409, "ResourceConflictException", "Function already exist: " + t.function}
	}
	t.qualifier = ""
	if err := a.create(t).describe(in); err != nil {
		return nil, err
	}
	return a.configuration(t), nil
}

// deleteFunction deletes a version, or a function with all that belongs to it.
func (a *Account) deleteFunction(t target, _ parameters) (any, *apiError) {
	if a.find(t) == nil {
		return nil, notFound("Function not found: " + a.arn(t))
	}
	if t.qualifier == "" {
		delete(a.functions, t.function)
		i, _ := slices.BinarySearch(a.names, t.function)
		a.names = slices.Delete(a.names, i, i+1)
	} else {
		delete(a.functions[t.function], t.qualifier)
	}
	return nil, nil
}

func (a *Account) getFunctionConfiguration(t target, _ parameters) (any, *apiError) {
	r := a.find(t)
	if r == nil {
		return nil, notFound("Function not found: " + a.arn(t))
	}
	out := a.configuration(t)
	if r.updating > 0 {
		if r.updating--; r.updating == 0 {
			a.change(r, r.current.policy) // the end of an update is a change, too
		}
	}
	return out, nil
}

// SetEnvironment gives a function its environment variables, and moves its
// revision. It creates what does not exist.
func (a *Account) SetEnvironment(name string, variables map[string]string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.create(parse(name))
	r.environment = maps.Clone(variables)
	a.change(r, r.current.policy)
}

// Environment returns the environment variables of a function as they really are.
func (a *Account) Environment(name string) map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.find(parse(name)); r != nil {
		return maps.Clone(r.environment)
	}
	return nil
}

var errUpdating = &apiError{409, "ResourceConflictException", "The operation cannot be performed at this time. An update is in progress for resource."}

// updateFunctionConfiguration keeps nothing of what it is given but the
// environment, which it replaces as a whole.
func (a *Account) updateFunctionConfiguration(t target, in parameters) (any, *apiError) {
	r := a.find(t)
	switch {
	case r == nil:
		return nil, notFound("Function not found: " + a.arn(t))
	case in.stale(r):
		return nil, errStale
	case r.updating > 0:
		return nil, errUpdating
	}
	if text := in["Environment"]; text != "" {
		var environment struct{ Variables map[string]string }
		if err := json.Unmarshal([]byte(text), &environment); err != nil {
			return nil, &apiError{400, "SerializationException", "The Environment cannot be read: " + err.Error()}
		}
		r.environment = environment.Variables
	}
	r.updating, r.updateFailed = a.UpdateReads, false
	a.change(r, r.current.policy)
	return a.configuration(t), nil
}

// configuration is as much of a FunctionConfiguration as there is to tell.
func (a *Account) configuration(t target) map[string]any {
	version := latest
	if isVersion(t.qualifier) {
		version = t.qualifier
	}
	r := a.find(t)
	c := map[string]any{
		"FunctionName": t.function, "FunctionArn": a.arn(t), "Version": version,
		"RevisionId": r.current.revision, "Runtime": "provided.al2023", "State": "Active",
		"LastUpdateStatus": "Successful", "Role": "arn:" + a.partition + ":iam::" + a.id + ":role/" + t.function,
	}
	if r.description != "" {
		c["Description"] = r.description
	}
	if r.role != "" {
		c["Role"] = r.role
	}
	if r.environment != nil {
		c["Environment"] = map[string]any{"Variables": r.environment}
	}
	switch {
	case r.updating > 0:
		c["LastUpdateStatus"] = "InProgress"
	case r.updateFailed:
		c["LastUpdateStatus"], c["LastUpdateStatusReasonCode"] = "Failed", "InternalError"
		c["LastUpdateStatusReason"] = "The update could not be completed."
	}
	return c
}

// publishVersion makes a version even if nothing has changed since the last one.
func (a *Account) publishVersion(t target, _ parameters) (any, *apiError) {
	if a.find(t) == nil {
		return nil, notFound("Function not found: " + a.arn(t))
	}
	t.qualifier = "1"
	if published := a.versions(t.function); len(published) > 0 {
		last, _ := strconv.Atoi(published[len(published)-1])
		t.qualifier = strconv.Itoa(last + 1)
	}
	a.create(t)
	return a.configuration(t), nil
}

func (a *Account) createAlias(t target, in parameters) (any, *apiError) {
	if a.find(target{t.function, in["FunctionVersion"]}) == nil {
		return nil, notFound("Function not found: " + a.arn(target{t.function, in["FunctionVersion"]}))
	}
	t.qualifier = in["Name"]
	if a.find(t) != nil {
		return nil, &apiError{409, "ResourceConflictException", "Alias already exists: " + a.arn(t)}
	}
	a.create(t).version = in["FunctionVersion"]
	return a.alias(t), nil
}

func (a *Account) getAlias(t target, in parameters) (any, *apiError) {
	t.qualifier = in["Name"]
	if isVersion(t.qualifier) || a.find(t) == nil {
		return nil, notFound("Cannot find alias arn: " + a.arn(t))
	}
	return a.alias(t), nil
}

func (a *Account) alias(t target) map[string]any {
	r := a.find(t)
	return map[string]any{"Name": t.qualifier, "AliasArn": a.arn(t), "FunctionVersion": r.version, "RevisionId": r.current.revision}
}

// versions returns the published versions of a function in order.
func (a *Account) versions(function string) []string {
	published := slices.DeleteFunc(sortedKeys(a.functions[function]), func(q string) bool { return !isVersion(q) })
	slices.SortStableFunc(published, func(x, y string) int { return len(x) - len(y) })
	return published
}

// listFunctions looks at no more functions than it lists: an account may have tens
// of thousands.
func (a *Account) listFunctions(_ target, in parameters) (any, *apiError) {
	return a.page("Functions", in, a.configuration, func(after string) iter.Seq[target] {
		return func(yield func(target) bool) {
			function, _, _ := strings.Cut(after, ":")
			i, _ := slices.BinarySearch(a.names, function)
			for _, name := range a.names[i:] {
				if !yield(target{function: name}) {
					return
				}
				if in["FunctionVersion"] != "ALL" {
					continue
				}
				for _, version := range a.versions(name) {
					if !yield(target{name, version}) {
						return
					}
				}
			}
		}
	})
}

func (a *Account) listVersions(t target, in parameters) (any, *apiError) {
	if a.find(t) == nil {
		return nil, notFound("Function not found: " + a.arn(t))
	}
	all := []target{{t.function, latest}}
	for _, version := range a.versions(t.function) {
		all = append(all, target{t.function, version})
	}
	return a.page("Versions", in, a.configuration, among(all))
}

func (a *Account) listAliases(t target, in parameters) (any, *apiError) {
	if a.find(t) == nil {
		return nil, notFound("Function not found: " + a.arn(t))
	}
	var all []target
	for _, name := range sortedKeys(a.functions[t.function]) {
		if name != "" && !isVersion(name) && (in["FunctionVersion"] == "" || in["FunctionVersion"] == a.functions[t.function][name].version) {
			all = append(all, target{t.function, name})
		}
	}
	return a.page("Aliases", in, a.alias, among(all))
}

func among(all []target) func(string) iter.Seq[target] {
	return func(string) iter.Seq[target] { return slices.Values(all) }
}

// maxPage is how many items a page of a list has at the most, whatever MaxItems
// says.
const maxPage = 50

// page returns the page that begins after the item that Marker names. What may
// stand before that item, from leaves out if it can. AWS does not say what becomes
// of a marker whose item is deleted: here, it is refused.
func (a *Account) page(name string, in parameters, describe func(target) map[string]any, from func(after string) iter.Seq[target]) (any, *apiError) {
	size, _ := strconv.Atoi(in["MaxItems"])
	if size == 0 {
		size = maxPage
	}
	size = min(size, maxPage)
	after, accepted := a.readMarker(in["Marker"])
	if !accepted {
		return nil, errMarker
	}
	items, last, found := []map[string]any{}, "", after == ""
	for t := range from(after) {
		key := t.function + ":" + t.qualifier
		if !found {
			found = key == after
			continue
		}
		if len(items) == size {
			return map[string]any{name: items, "NextMarker": a.marker(last)}, nil
		}
		items, last = append(items, describe(t)), key
	}
	if !found {
		return nil, errMarker
	}
	return map[string]any{name: items}, nil
}

var errMarker = &apiError{400, "InvalidParameterValueException", "Unable to parse pagination token."}

// ExpireMarkers lets no marker be accepted that was given out so far.
func (a *Account) ExpireMarkers() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.markers++
}

func (a *Account) marker(after string) string {
	return base64.URLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", a.markers, after))
}

func (a *Account) readMarker(text string) (after string, accepted bool) {
	if text == "" {
		return "", true
	}
	plain, _ := base64.URLEncoding.DecodeString(text)
	after, accepted = strings.CutPrefix(string(plain), strconv.Itoa(a.markers)+" ")
	return after, accepted && after != ""
}
