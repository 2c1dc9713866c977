package testdata

import "embed"

// Story holds story/story.json, the script of the rehearsal; the events that it
// plays, as EventBridge delivers them; and its exemptions.json.
//
//go:embed story
var Story embed.FS
