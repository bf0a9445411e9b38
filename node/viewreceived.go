// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/blocks"
	"github.com/traboule/traboule/storage/record"
)

// What the grantee believes of a version before it takes the place of the one
// that is here.

var (
	errNotAsked = errors.New("another view than was asked for")
	errOutside  = errors.New("rows outside the span that was asked for")
)

// asked is the name of the only view that a head may be of.
func (f *fetching) asked() (string, error) {
	g := f.grant.grant
	if isOnRecords(g) {
		return viewName(grantedView(g), g.Audience), nil
	}
	if v := viewOf(g.Paths); len(g.Paths) > 0 && !v.Whole {
		paths, err := storage.ParsePaths(v.Paths)
		return paths.View(), err
	}
	return "", nil
}

// checkRecords reads all records that came, as far as the grant is on records.
func (f *fetching) checkRecords(ctx context.Context) error {
	if !isOnRecords(f.grant.grant) {
		return nil
	}
	rows, content, err := f.node.tasteReceived(ctx, f.head, grantedView(f.grant.grant))
	if err != nil && ctx.Err() == nil && !isOfHere(err) {
		err = misbehaved(err)
	}
	f.result.Rows, f.result.Content = uint64(rows), content
	return err
}

// isOfHere says whether an error is of this node and its disk, or its age, and
// none of the giver's.
func isOfHere(err error) bool {
	here := func(cause error) bool { return errors.Is(err, cause) }
	return errors.As(err, new(*blocks.DamagedError)) || slices.ContainsFunc([]error{
		blocks.ErrNotFound, blocks.ErrBroken, blocks.ErrClosed, syscall.EIO, record.ErrVersion,
	}, here)
}

// tasteReceived looks at records that came: how many rows, and which content;
// and whether they are those of a view.
func (n *Node) tasteReceived(ctx context.Context, head storage.Head, asked view.Spec) (rows int, content string, err error) {
	objects, err := n.vault.ObjectsAt(ctx, head)
	if err != nil {
		return 0, "", err
	}
	out := &tasting{}
	for _, o := range objects {
		b, err := n.vault.ObjectAt(ctx, head, o.Path)
		if err != nil {
			return 0, "", err
		}
		if err := out.Write(o.Path, b); err != nil {
			return 0, "", err
		}
	}
	set, err := record.Open(ctx, n.objectsOf(head))
	if err != nil {
		return 0, "", err
	}
	if err := checkView(set, asked); err != nil {
		return 0, "", err
	}
	return set.Len(), contentOf(out.objects), set.Verify(ctx)
}

// checkView refuses records with other columns than were asked for, and of
// another time, as far as their description and their log say.
func checkView(set *record.Set, asked view.Spec) error {
	if !asked.Fits(set.Schema()) {
		return fmt.Errorf("%w: %d columns", errNotAsked, len(set.Schema().Fields))
	}
	first, last, dated := set.Span()
	if dated && (first < asked.From*1e6 && asked.From != view.Earliest || last >= asked.To*1e6 && asked.To != view.Latest) {
		return errOutside
	}
	return nil
}
