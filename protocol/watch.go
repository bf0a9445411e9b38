// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"context"
	"time"
)

// Watch drops a stream when its context ends or when a step takes too long:
// reads and writes that hang then return. It is how a conversation keeps the
// promise that cancelling it stops it.
type Watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	stop   func() bool
	reset  chan struct{}
}

// NewWatch begins to watch s; the caller calls Close when it is done with s.
func NewWatch(ctx context.Context, s Stream) *Watch {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &Watch{ctx: ctx, cancel: cancel, reset: make(chan struct{})}
	w.stop = context.AfterFunc(ctx, func() {
		defer close(w.reset)
		_ = s.Reset()
	})
	return w
}

// Context ends when the stream was dropped, with the reason as its cause.
func (w *Watch) Context() context.Context { return w.ctx }

// Drop resets the stream, for why.
func (w *Watch) Drop(why error) { w.cancel(why) }

// Within drops the stream, for why, unless the function that it returns is
// called within d.
func (w *Watch) Within(d time.Duration, why error) (done func() bool) {
	return time.AfterFunc(d, func() { w.cancel(why) }).Stop
}

// Reason is why the stream was dropped, if it was, and err otherwise: a read
// that fails because the stream was dropped fails for that reason.
func (w *Watch) Reason(err error) error {
	if err != nil && w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	return err
}

// Close ends the watch. When it returns, no reset is under way or to come.
func (w *Watch) Close() {
	if !w.stop() {
		<-w.reset
	}
	w.cancel(context.Canceled)
}
