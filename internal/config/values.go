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

func isConcurrency(n int) bool { return n >= 0 && n <= 1000 }

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
func isRetention(days int) bool {
	return slices.Contains([]int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}, days)
}

func isName(s string) bool {
	return s != "" && len(s) <= 32 && only(s[:1], letters) && only(s, letters+digits+"-") && !strings.HasSuffix(s, "-")
}
