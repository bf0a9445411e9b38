// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"fmt"
)

// Verify reads all rows of a set that somebody else has written, whether they
// count or not, and says what is wrong with the first segment that cannot be
// read, or is not what the log says of it. Memory is that of one column.
func (s *Set) Verify(ctx context.Context) error {
	for _, e := range s.log.segments {
		if err := ctx.Err(); err != nil {
			return err
		}
		seg, err := s.open(ctx, e)
		if err != nil {
			return err
		}
		if err := s.verify(seg, e); err != nil {
			return fmt.Errorf("read %s: %w", e.path(), err)
		}
	}
	return nil
}

func (s *Set) verify(seg *Segment, e extent) error {
	said := extent{}
	for i, f := range s.schema.Fields {
		c, err := seg.Column(i)
		if err != nil {
			return err
		}
		if f.Name == s.schema.Time {
			said.date(s.schema.instants(c))
		}
	}
	if said.dated != e.dated || said.least != e.least || said.most != e.most {
		return fmt.Errorf("%w: %d rows from %d to %d, the log says %d from %d to %d",
			ErrBadSegment, said.dated, said.least, said.most, e.dated, e.least, e.most)
	}
	return nil
}
