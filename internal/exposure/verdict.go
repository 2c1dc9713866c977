package exposure

// Level says how far a statement opens its resource. The zero value is
// Undetermined: a verdict that nobody filled in can neither pass for safe nor
// trigger a revert. The integers carry no order; see [Level.Rank].
type Level int

const (
	Undetermined   Level = iota // some stranger might get in, and none surely does
	Restricted                  // nobody gets in whom the owner did not name
	External                    // no stranger, but a named outsider beyond the configured trust
	ConfusedDeputy              // only an AWS service acting for anybody gets in
	Public                      // anonymous callers or any AWS account get in
)

var levelNames = [...]string{"undetermined", "restricted", "external", "confused-deputy", "public"}

// String returns the level as it is written in findings and on the command
// line, for example "confused-deputy".
func (l Level) String() string {
	if l < 0 || int(l) >= len(levelNames) {
		return levelNames[Undetermined]
	}
	return levelNames[l]
}

// MarshalText implements [encoding.TextMarshaler] with [Level.String].
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Rank orders levels by how much they matter (R18): Public, Undetermined,
// ConfusedDeputy, External, Restricted, highest first.
func (l Level) Rank() int {
	switch l {
	case Public:
		return 4
	case ConfusedDeputy:
		return 2
	case External:
		return 1
	case Restricted:
		return 0
	default: // Undetermined, and any value that is none of ours
		return 3
	}
}

// Worst returns the level of a document: the highest of its statements (R18).
// No verdicts at all is Restricted: a policy without statements grants nothing.
func Worst(verdicts []Verdict) Level {
	worst := Restricted
	for i := range verdicts {
		if verdicts[i].Level.Rank() > worst.Rank() {
			worst = verdicts[i].Level
		}
	}
	return worst
}

// Kind names one of the strangers that a policy is tried against.
type Kind int

const (
	Anonymous       Kind = iota // the function URL, unsigned
	AnyPrincipal                // the Lambda API, signed, from any other AWS account
	AnyPrincipalURL             // the function URL, signed
	AnyService                  // an AWS service acting for a resource of any account
	AnyServiceURL               // the same through the function URL, as CloudFront does for a distribution
)

var kindNames = [...]string{"anonymous", "any-principal", "any-principal-url", "any-service", "any-service-url"}

func (k Kind) String() string { return kindNames[k] }

func (k Kind) service() bool { return k == AnyService || k == AnyServiceURL }

// MarshalText implements [encoding.TextMarshaler] with [Kind.String].
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Access is a class of what a statement lets strangers do (R5).
type Access int

const (
	Invoke  Access = iota // lambda:InvokeFunction
	URL                   // lambda:InvokeFunctionUrl
	Code                  // replace the code, or what an alias points at
	Read                  // read code, environment, configuration
	Control               // everything else: delete, tag, concurrency
)

var accessNames = [...]string{"invoke", "url", "code", "read", "control"}

func (a Access) String() string { return accessNames[a] }

// MarshalText implements [encoding.TextMarshaler] with [Access.String].
func (a Access) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Target is what exposure needs to know of the resource that a policy hangs
// on. Empty fields are unknown: see R6 for what then is taken to match.
type Target struct {
	Partition string // "aws", "aws-cn", ...
	Region    string
	Account   string // twelve digits
	Function  string // name, without a qualifier
	Qualifier string // version or alias; "" is the unqualified function
}

// Trust names the outsiders that the owner trusts: grants to them are
// Restricted, not External. It never makes a stranger trusted.
type Trust struct {
	Accounts []string // twelve digits each
	Orgs     []string // o-..., each
}

// Verdict is the judgement of one statement.
type Verdict struct {
	Level     Level     `json:"level"`
	Access    []Access  `json:"access"`    // what strangers can do; empty unless one is let in, or may be
	Strangers []Witness `json:"strangers"` // every kind of stranger let in, each with a request that is allowed
	Reasons   []Reason  `json:"reasons"`   // each element that decided, by JSON path
}

// FunctionURLOnly reports whether strangers come in through the function URL
// and no other way (R19).
func (v Verdict) FunctionURLOnly() bool {
	for _, w := range v.Strangers {
		if w.Kind == AnyPrincipal || w.Kind == AnyService {
			return false
		}
	}
	return len(v.Strangers) > 0
}
