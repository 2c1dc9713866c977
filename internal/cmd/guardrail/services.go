package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// services are what the commands of guardrail ask of AWS beside Lambda, as far as
// they ask it: the outputs of one stack, one log group, roles, who one is, and which
// regions there are. Every other call goes to Lambda.
type services struct {
	lambda  http.Handler
	region  string
	account string
	stack   string
	outputs [][2]string
	log     *logGroup

	mu    sync.Mutex
	roles map[string]map[string]string // tags, by name
}

func (s *services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target, isJSON := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "Logs_20140328.")
	switch {
	case isJSON:
		s.logs(w, r, target)
	case r.URL.Path == "/listRegions":
		s.listRegions(w)
	case r.URL.Path == "/" && r.Method == http.MethodPost:
		s.query(w, r)
	default:
		s.lambda.ServeHTTP(w, r)
	}
}

// listRegions answers with the only one that there is.
func (s *services) listRegions(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(mustWrite(map[string]any{"Regions": []map[string]string{{"RegionName": s.region, "RegionOptStatus": "ENABLED_BY_DEFAULT"}}}))
}

// query answers calls in AWS's query protocol.
func (s *services) query(w http.ResponseWriter, r *http.Request) {
	action := r.FormValue("Action")
	do := queries[action]
	code, message, body := "InvalidAction", "The stand-in has no action "+action, ""
	if do != nil {
		s.mu.Lock()
		code, message, body = do(s, r)
		s.mu.Unlock()
	}
	w.Header().Set("Content-Type", "text/xml")
	if code != "" {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, element("ErrorResponse", element("Error", element("Type", "Sender")+element("Code", code)+element("Message", escape(message)))))
		return
	}
	io.WriteString(w, element(action+"Response", element(action+"Result", body)))
}

// queries return an error's code and message, or the XML of a result.
var queries = map[string]func(*services, *http.Request) (code, message, body string){
	"DescribeStacks":    (*services).describeStacks,
	"GetCallerIdentity": (*services).callerIdentity,
	"CreateRole":        (*services).createRole,
	"DeleteRole":        (*services).deleteRole,
	"ListRoles":         (*services).listRoles,
	"ListRoleTags":      (*services).listRoleTags,
}

func (s *services) describeStacks(r *http.Request) (code, message, body string) {
	name := r.FormValue("StackName")
	if region := callerOf(r.Header.Get("Authorization")).region; name != s.stack || region != s.region {
		return "ValidationError", "Stack with id " + name + " does not exist", ""
	}
	var outputs strings.Builder
	for _, o := range s.outputs {
		outputs.WriteString(element("member", element("OutputKey", o[0])+element("OutputValue", o[1])))
	}
	return "", "", element("Stacks", element("member", element("StackName", s.stack)+element("CreationTime", "2026-11-20T09:00:00Z")+
		element("StackStatus", "CREATE_COMPLETE")+element("Outputs", outputs.String())))
}

func (s *services) callerIdentity(*http.Request) (code, message, body string) {
	return "", "", element("Arn", "arn:aws:iam::"+s.account+":user/you") + element("UserId", "AIDACKCEVSQ6C2EXAMPLE") + element("Account", s.account)
}

func (s *services) role(name string) string {
	return element("Path", rolePath) + element("RoleName", escape(name)) + element("RoleId", "AROADBQP57FF2AEXAMPLE") +
		element("Arn", escape("arn:aws:iam::"+s.account+":role"+rolePath+name)) + element("CreateDate", "2026-11-20T09:00:00Z")
}

func (s *services) createRole(r *http.Request) (code, message, body string) {
	name := r.FormValue("RoleName")
	if s.roles[name] != nil {
		return "EntityAlreadyExists", "Role with name " + name + " already exists.", ""
	}
	if path := r.FormValue("Path"); path != rolePath {
		return "ValidationError", "The stand-in has no path " + path, ""
	}
	s.roles[name] = map[string]string{}
	for i := 1; r.FormValue("Tags.member."+strconv.Itoa(i)+".Key") != ""; i++ {
		tag := "Tags.member." + strconv.Itoa(i)
		s.roles[name][r.FormValue(tag+".Key")] = r.FormValue(tag + ".Value")
	}
	return "", "", element("Role", s.role(name))
}

func (s *services) deleteRole(r *http.Request) (code, message, body string) {
	name := r.FormValue("RoleName")
	if s.roles[name] == nil {
		return "NoSuchEntity", "The role with name " + name + " cannot be found.", ""
	}
	delete(s.roles, name)
	return "", "", ""
}

func (s *services) listRoles(r *http.Request) (code, message, body string) {
	var members strings.Builder
	if strings.HasPrefix(rolePath, r.FormValue("PathPrefix")) {
		for name := range s.roles {
			members.WriteString(element("member", s.role(name)))
		}
	}
	return "", "", element("Roles", members.String()) + element("IsTruncated", "false")
}

func (s *services) listRoleTags(r *http.Request) (code, message, body string) {
	var members strings.Builder
	for key, value := range s.roles[r.FormValue("RoleName")] {
		members.WriteString(element("member", element("Key", escape(key))+element("Value", escape(value))))
	}
	return "", "", element("Tags", members.String()) + element("IsTruncated", "false")
}

func element(name, inner string) string { return "<" + name + ">" + inner + "</" + name + ">" }

func escape(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

// logs answers FilterLogEvents.
func (s *services) logs(w http.ResponseWriter, r *http.Request, operation string) {
	var in struct {
		LogGroupName  string `json:"logGroupName"`
		FilterPattern string `json:"filterPattern"`
		StartTime     int64  `json:"startTime"`
	}
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &in)
	}
	code, message := "", ""
	var events []logEvent
	switch {
	case operation != "FilterLogEvents":
		code, message = "UnknownOperationException", "The stand-in has no operation "+operation
	case err != nil:
		code, message = "SerializationException", err.Error()
	case in.LogGroupName != s.log.name:
		code, message = "ResourceNotFoundException", "The specified log group does not exist."
	default:
		if events, err = s.log.search(in.FilterPattern, in.StartTime); err != nil {
			code, message = "InvalidParameterException", err.Error()
		}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if code != "" {
		w.WriteHeader(http.StatusBadRequest)
		w.Write(mustWrite(map[string]string{"__type": code, "message": message}))
		return
	}
	// The SDK closes the body of its request when an answer begins. If net/http is
	// then still looking for the body's end, as it can be on the same machine, it
	// closes the connection, and a long answer is lost.
	time.Sleep(5 * time.Millisecond)
	w.Write(mustWrite(map[string]any{"events": events, "searchedLogStreams": []string{}}))
}

// logGroup keeps the lines that the function writes.
type logGroup struct {
	name string
	now  func() time.Time

	mu    sync.Mutex
	lines []logEvent
}

type logEvent struct {
	Timestamp int64  `json:"timestamp"` // milliseconds
	Message   string `json:"message"`
}

// Write implements [io.Writer] for a line in each call.
func (l *logGroup) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, logEvent{l.now().UnixMilli(), strings.TrimSuffix(string(line), "\n")})
	return len(line), nil
}

// selector is the one form of pattern that is understood, out of those of
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-json-log-events.html
var selector = regexp.MustCompile(`^\{ \$((?:\.[a-zA-Z]+)+) = "([^"*]*)" \}$`)

// search returns the lines since start that a pattern matches; "" matches all.
func (l *logGroup) search(pattern string, start int64) ([]logEvent, error) {
	m := selector.FindStringSubmatch(pattern)
	if pattern != "" && m == nil {
		return nil, fmt.Errorf(`the stand-in understands patterns like { $.msg = "finding" } only, and not %s`, pattern)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	found := slices.Clone(l.lines)
	return slices.DeleteFunc(found, func(e logEvent) bool {
		if e.Timestamp < start {
			return true
		}
		return m != nil && plain(member(jsontext.Value(e.Message), strings.Split(m[1], ".")[1:])) != m[2]
	}), nil
}

// member returns what stands at a path in an object; nil if there is nothing.
func member(v jsontext.Value, path []string) jsontext.Value {
	for _, name := range path {
		var object map[string]jsontext.Value
		if json.Unmarshal(v, &object) != nil {
			return nil
		}
		v = object[name]
	}
	return v
}
