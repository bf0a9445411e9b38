// SPDX-License-Identifier: Apache-2.0

// Package disktest has the enemies of a store: a file system whose n-th
// change fails ([Fail]), a disk in memory that loses or tears at a power cut
// what was not synced ([Disk]), files with a flipped bit or a cut end ([Flip],
// [Cut]), and a process killed in the middle of its work ([StartChild]).
//
// It knows nothing of what the files mean: the store under test says what was
// promised, and checks it afterwards.
package disktest
