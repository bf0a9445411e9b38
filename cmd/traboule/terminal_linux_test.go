// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/traboule/traboule/node/problem"
)

// newTerminal makes a terminal, and what sees all that is written to it.
func newTerminal(t *testing.T) (terminal, screen *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { screen.Close() })
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return terminal, screen
}

// TestRowsOnATerminal: CSV is harmless to a terminal and exact in a file, and
// Parquet does not go to a terminal at all.
func TestRowsOnATerminal(t *testing.T) {
	home := t.TempDir()
	say := func(out io.Writer, args ...string) int {
		t.Helper()
		return run(append(args, "--home", home+"/home", "--passphrase-file", home+"/secret"),
			world{out: out, getenv: func(string) string { return "" }, now: clock(os.Getenv)})
	}
	statement := "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nCHARSET:1252\n\n<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>EUR<BANKACCTFROM><ACCTID>1</BANKACCTFROM>" +
		"<BANKTRANLIST><STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20260105<TRNAMT>-2,25<NAME>COFFEE</STMTTRN></BANKTRANLIST></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\n"
	for name, text := range map[string]string{"secret": "a passphrase for tests\n", "statement.ofx": statement} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "--words-file", home + "/words", "--weak-for-tests"}, {"import", home + "/statement.ofx"},
		{"correct", "bank-operations", "r0", "label=été \x1b[2J\u202e", "--reason", "x"},
	} {
		if code := say(io.Discard, args...); code != 0 {
			t.Fatalf("%v: exit code %d", args, code)
		}
	}
	query := []string{"query", "bank-operations", "--columns", "label,amount", "--csv"}
	file, err := os.Create(home + "/rows.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	say(file, query...)
	exact, err := os.ReadFile(home + "/rows.csv")
	if want := "label,amount\nété \x1b[2J\u202e,-2.25\n"; err != nil || string(exact) != want {
		t.Errorf("in a file %q, %v, want %q", exact, err, want)
	}
	terminal, screen := newTerminal(t)
	say(terminal, query...)
	if code := say(terminal, "query", "bank-operations", "--parquet"); code != exitCode(problem.Usage) {
		t.Errorf("Parquet on a terminal: exit code %d", code)
	}
	seen := make([]byte, 1<<10)
	n, err := screen.Read(seen)
	if want := "label,amount\r\nété \\u001b[2J\\u202e,-2.25\r\n"; err != nil || string(bytes.TrimSpace(seen[:n])) != string(bytes.TrimSpace([]byte(want))) {
		t.Errorf("on a terminal %q, %v, want %q", seen[:n], err, want)
	}
}
