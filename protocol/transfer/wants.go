// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"
	"io"

	"github.com/traboule/traboule/crypto"
)

// wants is the bounded queue between the server's reader and its writer. When
// it is full the reader waits, and through it the client.
type wants struct {
	ctx   context.Context
	queue chan crypto.BlockName
	end   error // why the queue was closed; written before the close
}

func newWants(ctx context.Context, limit int) *wants {
	return &wants{ctx: ctx, queue: make(chan crypto.BlockName, limit)}
}

// errFull says that the context ended before there was room.
var errFull = errors.New("nobody answers wants any more")

// put waits for room.
func (w *wants) put(name crypto.BlockName) error {
	select {
	case w.queue <- name:
		return nil
	case <-w.ctx.Done():
		return errFull
	}
}

// close says that no more will come; nil is a good end.
func (w *wants) close(why error) {
	if why == nil {
		why = io.EOF
	}
	w.end = why
	close(w.queue)
}

// ready returns a want if there is one now.
func (w *wants) ready() (crypto.BlockName, bool) {
	select {
	case name, ok := <-w.queue:
		return name, ok
	default:
		return crypto.BlockName{}, false
	}
}

// wait returns the next want, or why there is none: io.EOF after a good end.
func (w *wants) wait() (crypto.BlockName, error) {
	select {
	case name, ok := <-w.queue:
		if !ok {
			return name, w.end
		}
		return name, nil
	case <-w.ctx.Done():
		return crypto.BlockName{}, context.Cause(w.ctx)
	}
}
