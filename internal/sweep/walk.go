// Package sweep walks every policy of every function of an account, within a share
// of the account's quota and a part at a time, and hands each to a guard. It knows
// neither AWS, nor what makes a policy public, nor where its notes are kept.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lambda-guardrail/internal/guard"
)

// Item is a function, version or alias in a listing.
type Item struct {
	Resource guard.Resource
	Revision string // "" if the listing shows none
	// Unlisted is why the aliases of this function are not known: there may be
	// policies that were not visited.
	Unlisted error
}

// ErrMarker: the listing does not take the marker any more.
var ErrMarker = errors.New("the marker is not accepted")

// Inventory lists what can have a policy. Its errors name the call.
type Inventory interface {
	// Functions returns one page of the functions or, if versions is true, of
	// their published versions. The first page has the marker ""; next is that
	// of the page after, "" after the last one. It must return ErrMarker if the
	// marker is refused. Pages may be empty.
	Functions(ctx context.Context, marker string, versions bool) (items []Item, next string, err error)
	// Aliases returns all aliases of a function. It must return guard.ErrNotFound
	// if the function does not exist.
	Aliases(ctx context.Context, of guard.Resource) ([]Item, error)
}

// Place is where a walk stands. The zero value is its beginning.
type Place struct {
	Versions bool   `json:"versions,omitempty"` // among the published versions, which come last
	Marker   string `json:"marker,omitempty"`   // of the page
	After    string `json:"after,omitempty"`    // ARN of the last resource of the page that was visited; "" is none
	Restarts int    `json:"restarts,omitempty"` // because of markers that were refused
}

// maxRestarts bounds a walk whose markers are refused again and again.
const maxRestarts = 10

// Walk is a way through an inventory: functions with their aliases first, then
// published versions.
type Walk struct {
	Inventory Inventory
	Match     func(function string) bool // nil is all; of others nothing is visited, nor listed
	Turned    func(next Place) error     // nil, or called after each page but the last; its error ends the walk
}

// From visits everything that comes after a place, in order, one after the other.
// Next is where to go on after the item. It ends with the first error of visit, of
// Turned or of a listing; where aliases cannot be listed, the function is visited
// as Unlisted, and the walk goes on. Whatever existed all the time is visited once,
// more often only if the resource that was visited last, or a marker, is gone.
func (w Walk) From(ctx context.Context, at Place, visit func(ctx context.Context, item Item, next Place) error) error {
	for {
		items, next, err := w.Inventory.Functions(ctx, at.Marker, at.Versions)
		switch {
		case errors.Is(err, ErrMarker) && at.Marker != "" && at.Restarts < maxRestarts:
			at = Place{Versions: at.Versions, Restarts: at.Restarts + 1}
			continue
		case err != nil:
			return err
		case next != "" && next == at.Marker:
			return fmt.Errorf("listing functions: the marker %q leads to itself", next)
		}
		if err := w.page(ctx, items, at, visit); err != nil {
			return err
		}
		switch {
		case next != "":
			at.Marker, at.After = next, ""
		case !at.Versions:
			at = Place{Versions: true, Restarts: at.Restarts}
		default:
			return nil
		}
		if w.Turned != nil {
			if err := w.Turned(at); err != nil {
				return err
			}
		}
	}
}

func (w Walk) page(ctx context.Context, items []Item, at Place, visit func(context.Context, Item, Place) error) error {
	after, _ := guard.ParseResource(at.After) // the zero value, which is nowhere, if there is none
	if i := slices.IndexFunc(items, func(item Item) bool { return item.Resource == at.pageItem(after) }); i >= 0 {
		items = items[i:]
	}
	for _, item := range items {
		if w.Match != nil && !w.Match(item.Resource.Function) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		all := []Item{item}
		if !at.Versions {
			aliases, err := w.Inventory.Aliases(ctx, item.Resource)
			switch {
			case errors.Is(err, guard.ErrNotFound): // it is gone; its policy will say so too
			case err != nil && ctx.Err() != nil:
				return err
			case err != nil:
				all[0].Unlisted = err
			}
			all = append(all, aliases...)
		}
		if i := slices.IndexFunc(all, func(item Item) bool { return item.Resource == after }); i >= 0 {
			all = all[i+1:]
		}
		for _, item := range all {
			next := at
			next.After = item.Resource.ARN()
			if err := visit(ctx, item, next); err != nil {
				return err
			}
		}
	}
	return nil
}

// pageItem is the item of the page under which r is visited.
func (at Place) pageItem(r guard.Resource) guard.Resource {
	if !at.Versions {
		r.Qualifier = ""
	}
	return r
}
