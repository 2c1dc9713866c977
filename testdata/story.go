package testdata

import "embed"

// Story holds story/story.json, the script of the rehearsal; the events that it
// plays, as EventBridge delivers them; its exemptions.json; and account.json, the
// functions that are there when the stand-in is served.
//
//go:embed story
var Story embed.FS
