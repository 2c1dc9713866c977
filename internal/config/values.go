package config

import (
	"slices"
	"strconv"
	"strings"

	"lambda-guardrail/internal/guard"
)

// value is a setting's place in a Config. Like a flag.Value it is written and
// read as text, but the table says what is legal.
type value interface {
	String() string
	set(string) bool // reports whether the text is legal
}

type mode guard.Mode

func (m *mode) String() string { return guard.Mode(*m).String() }

func (m *mode) set(s string) bool {
	for _, known := range []guard.Mode{guard.Audit, guard.Enforce} {
		if s == known.String() {
			*m = mode(known)
			return true
		}
	}
	return false
}

// onOff is written only if it is on: a variable that is not there is off.
type onOff bool

func (o *onOff) String() string {
	if *o {
		return "on"
	}
	return ""
}

func (o *onOff) set(s string) bool {
	*o = s == "on"
	return s == "on" || s == "off"
}

type text struct {
	to    *string
	legal func(string) bool
}

func (t text) String() string { return *t.to }

func (t text) set(s string) bool {
	*t.to = s
	return t.legal(s)
}

type list struct {
	to    *[]string
	legal func(string) bool
}

func (l list) String() string { return strings.Join(*l.to, ",") }

func (l list) set(s string) bool {
	for element := range strings.SplitSeq(s, ",") {
		element = strings.TrimSpace(element)
		if !l.legal(element) {
			return false
		}
		*l.to = append(*l.to, element)
	}
	return true
}

type number struct {
	to    *int
	legal func(int) bool
}

func (n number) String() string { return strconv.Itoa(*n.to) }

func (n number) set(s string) bool {
	i, err := strconv.Atoi(s)
	*n.to = i
	return err == nil && n.legal(i)
}

type optional struct {
	to    **int
	legal func(int) bool
}

func (o optional) String() string {
	if *o.to == nil {
		return ""
	}
	return number{*o.to, o.legal}.String()
}

func (o optional) set(s string) bool {
	*o.to = new(int)
	return number{*o.to, o.legal}.set(s)
}

type regions struct {
	to   *[]Region
	mode guard.Mode // of those that name none
}

func (r regions) String() string {
	var names []string
	for _, region := range *r.to {
		names = append(names, region.Name+":"+region.Mode.String())
	}
	return strings.Join(names, ",")
}

func (r regions) set(s string) bool {
	for element := range strings.SplitSeq(s, ",") {
		name, own, found := strings.Cut(strings.TrimSpace(element), ":")
		region := Region{name, r.mode}
		if found && !(*mode)(&region.Mode).set(own) ||
			!isRegion(name) ||
			slices.ContainsFunc(*r.to, func(other Region) bool { return other.Name == name }) {
			return false
		}
		*r.to = append(*r.to, region)
	}
	return true
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyz"
)

// only reports whether s consists of characters of the alphabet.
func only(s, alphabet string) bool { return strings.Trim(s, alphabet) == "" }

func isAccount(s string) bool { return len(s) == 12 && only(s, digits) }

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html
func isOrg(s string) bool {
	id, ok := strings.CutPrefix(s, "o-")
	return ok && len(id) >= 10 && len(id) <= 32 && only(id, letters+digits)
}

func isJSONFile(s string) bool {
	name, ok := strings.CutSuffix(s, ".json")
	return ok && name != ""
}

func isRole(s string) bool {
	fields := strings.Split(s, ":")
	return len(fields) == 6 && fields[0] == "arn" && fields[1] != "" && fields[2] == "iam" && fields[3] == "" &&
		isAccount(fields[4]) && strings.HasPrefix(fields[5], "role/") && fields[5] != "role/"
}

// https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
func isTopic(s string) bool {
	fields := strings.Split(s, ":")
	return len(fields) == 6 && fields[0] == "arn" && fields[1] != "" && fields[2] == "sns" && fields[3] != "" &&
		isAccount(fields[4]) && isNamed(fields[5])
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
func isBus(s string) bool {
	if fields := strings.Split(s, ":"); len(fields) > 1 {
		name, ok := strings.CutPrefix(fields[len(fields)-1], "event-bus/")
		return len(fields) == 6 && ok && fields[0] == "arn" && fields[1] != "" && fields[2] == "events" && fields[3] != "" &&
			isAccount(fields[4]) && isNamed(name)
	}
	return isNamed(s)
}

// isNamed reports whether s can be the name of a topic or a bus.
func isNamed(s string) bool {
	return s != "" && len(s) <= 256 && only(s, letters+strings.ToUpper(letters)+digits+"-_./")
}

// isRegion knows the form of a region's name, and not which ones there are.
func isRegion(s string) bool {
	parts := strings.Split(s, "-")
	last := len(parts) - 1
	return last >= 2 && !slices.Contains(parts, "") && only(strings.Join(parts[:last], ""), letters) && only(parts[last], digits)
}

// isEmail refuses what is none at first sight. Whether it is one, its owner
// confirms.
func isEmail(s string) bool {
	local, domain, _ := strings.Cut(s, "@")
	return local != "" && strings.Contains(domain, ".") && !strings.ContainsAny(s, " ,;<>") && !strings.Contains(domain, "@")
}

func isTrail(s string) bool { return Trail(s) == ExistingTrail || Trail(s) == CreateTrail }

func isLimit(n int) bool { return n >= 1 && n <= 100_000 }

func isShare(percent int) bool { return percent >= 1 && percent <= 50 }

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func isBucket(s string) bool {
	return len(s) >= 3 && len(s) <= 63 && only(s, letters+digits+"-.")
}

func isKey(s string) bool {
	fields := strings.Split(s, ":")
	return len(fields) == 6 && fields[0] == "arn" && fields[1] != "" && fields[2] == "kms" && fields[3] != "" &&
		isAccount(fields[4]) && strings.HasPrefix(fields[5], "key/") && fields[5] != "key/"
}

// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
func isSchedule(s string) bool {
	if inside, ok := strings.CutPrefix(s, "rate("); ok {
		value, unit, _ := strings.Cut(strings.TrimSuffix(inside, ")"), " ")
		n, err := strconv.Atoi(value)
		return err == nil && n > 0 && strings.HasSuffix(s, ")") &&
			slices.Contains([]string{"minute", "minutes", "hour", "hours", "day", "days"}, unit)
	}
	inside, ok := strings.CutPrefix(s, "cron(")
	return s == Off || ok && strings.HasSuffix(s, ")") && len(strings.Fields(strings.TrimSuffix(inside, ")"))) == 6
}

// Less than two at once is nothing that a queue's event source mapping keeps to:
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
func isConcurrency(n int) bool { return n == 0 || n >= 2 && n <= 1000 }

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
func isRetention(days int) bool {
	return slices.Contains([]int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}, days)
}

func isName(s string) bool {
	return s != "" && len(s) <= 32 && only(s[:1], letters) && only(s, letters+digits+"-") && !strings.HasSuffix(s, "-")
}
