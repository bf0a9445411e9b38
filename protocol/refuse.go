// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"context"
	"time"
)

// DenialDelay is how long after its request a stranger waits for its answer,
// unless a conversation is told otherwise. It is longer than any check takes,
// so that the time tells nothing either.
const DenialDelay = 500 * time.Millisecond

// Refuse tells the peer at the other end of s that err happened, in as far as
// it may know, and ends the stream. A stranger's answer (see [AsRefusal])
// leaves at asked + delay, not before and with the same bytes each time; a
// refusal with a reason leaves at once. Zero delay means [DenialDelay].
//
// It returns err, or why ctx ended before the answer could be given.
func Refuse(ctx context.Context, s Stream, asked time.Time, delay time.Duration, err error) error {
	refusal := AsRefusal(err)
	if refusal.Code == Denied {
		if stop := waitUntil(ctx, asked.Add(orElse(delay, DenialDelay))); stop != nil {
			_ = s.Reset()
			return stop
		}
	}
	if WriteFrame(s, KindRefused, refusal.Encode()) != nil {
		_ = s.Reset()
		return err
	}
	_ = s.Close()
	return err
}

func waitUntil(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
