// SPDX-License-Identifier: Apache-2.0

// Package disktest has the enemies of a store: a file system whose n-th change
// fails, once ([Fail]) or from then on ([FailFrom]); a disk in memory that
// loses or tears at a power cut what was not synced ([Disk]), and that can be
// cut after any change of a run ([Recording], [Images]); files with a flipped
// bit or a cut end ([Flip], [Cut]); and a process killed in the middle of its
// work ([StartChild]).
//
// It knows nothing of what the files mean: the store under test says what was
// promised, and checks it afterwards. [Seed] and [Runs] make what is random
// repeatable and as long as one likes.
package disktest
