// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/traboule/traboule/node/problem"
)

const (
	// minPassphrase is in characters. Length is the only rule: others lead to
	// passphrases that are hard to remember and easy to guess.
	minPassphrase = 10
	maxSecret     = 4096 // bytes of a passphrase file or of typed words
	tries         = 3
)

// passphrase reads the passphrase: once from the file or the descriptor that
// a flag names, else from the terminal, which does not show it.
func (a *app) passphrase(question string) ([]byte, error) {
	if a.secret != nil {
		return a.secret, nil
	}
	secret, err := a.readPassphrase(question)
	a.secret = secret
	return secret, err
}

func (a *app) readPassphrase(question string) ([]byte, error) {
	switch {
	case a.passphraseFile != "":
		f, err := os.Open(a.passphraseFile)
		if err != nil {
			return nil, problem.New(problem.Usage, "passphrase.unreadable", "path", a.passphraseFile).Because(err)
		}
		defer f.Close()
		return firstLine(f, a.passphraseFile)
	case a.passphraseFD >= 0:
		name := "fd " + strconv.Itoa(a.passphraseFD)
		f := os.NewFile(uintptr(a.passphraseFD), name)
		if f == nil {
			return nil, problem.New(problem.Usage, "passphrase.unreadable", "path", name)
		}
		if a.passphraseFD > 2 {
			defer f.Close()
		}
		return firstLine(f, name)
	}
	return a.ask(question)
}

// firstLine is a passphrase: what stands before the end of the line.
func firstLine(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return nil, problem.New(problem.Usage, "passphrase.unreadable", "path", name).Because(err)
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 || len(data) > maxSecret {
		return nil, problem.New(problem.Usage, "passphrase.empty", "path", name)
	}
	return line, nil
}

// ask prompts for a secret on the terminal.
func (a *app) ask(question string) ([]byte, error) {
	if !isTerminal(a.in) {
		return nil, problem.New(problem.Usage, "passphrase.no-terminal")
	}
	fd := int(a.in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, problem.New(problem.Unexpected, "passphrase.unreadable", "path", "terminal").Because(err)
	}
	fmt.Fprint(a.err, a.text(question)+" ")
	secret, err := a.await(func() ([]byte, error) { return term.ReadPassword(fd) })
	fmt.Fprintln(a.err)
	if err != nil {
		term.Restore(fd, before) // an interrupted prompt must not leave the terminal mute
		return nil, err
	}
	if len(secret) == 0 {
		return nil, problem.New(problem.Usage, "passphrase.empty", "path", "terminal")
	}
	return secret, nil
}

// await reads from the terminal until an answer comes or the person
// interrupts. A read from a terminal cannot be called back: after an
// interruption it is left behind, and ends with the process.
func (a *app) await(read func() ([]byte, error)) ([]byte, error) {
	type answer struct {
		line []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := read()
		answers <- answer{line, err}
	}()
	select {
	case got := <-answers:
		if got.err != nil {
			return nil, problem.New(problem.Interrupted, "interrupted").Because(got.err)
		}
		return got.line, nil
	case <-a.interrupted:
		return nil, problem.New(problem.Interrupted, "interrupted")
	}
}

// newPassphrase reads a passphrase that is to be set: twice on a terminal,
// since nobody sees what they type.
func (a *app) newPassphrase(file string) ([]byte, error) {
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return nil, problem.New(problem.Usage, "passphrase.unreadable", "path", file).Because(err)
		}
		defer f.Close()
		secret, err := firstLine(f, file)
		if err != nil {
			return nil, err
		}
		return secret, longEnough(secret)
	}
	for range tries {
		secret, err := a.ask("ask.new-passphrase")
		if err != nil {
			return nil, err
		}
		if err := longEnough(secret); err != nil {
			a.tell("passphrase.short", "min", strconv.Itoa(minPassphrase))
			continue
		}
		again, err := a.ask("ask.passphrase-again")
		if err != nil {
			return nil, err
		}
		if bytes.Equal(secret, again) {
			return secret, nil
		}
		a.tell("passphrase.differs")
	}
	return nil, problem.New(problem.Usage, "passphrase.not-set")
}

func longEnough(secret []byte) error {
	if utf8.RuneCount(secret) < minPassphrase {
		return problem.New(problem.Usage, "passphrase.short", "min", strconv.Itoa(minPassphrase))
	}
	return nil
}

// confirm asks a question whose answer is yes or no; without a terminal the
// answer is otherwise.
func (a *app) confirm(question string, otherwise bool, args ...string) (bool, error) {
	if !isTerminal(a.in) || a.json {
		return otherwise, nil
	}
	for range tries {
		answer, err := a.readLine(question, args...)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(answer) {
		case "y", "yes", "o", "oui":
			return true, nil
		case "n", "no", "non":
			return false, nil
		case "":
			return otherwise, nil
		}
	}
	return otherwise, nil
}

// readLine asks for a line that may be seen.
func (a *app) readLine(question string, args ...string) (string, error) {
	fmt.Fprint(a.err, a.text(question, args...)+" ")
	line, err := a.await(a.line)
	return strings.TrimSpace(string(line)), err
}

// line reads up to the end of the line, a byte at a time, so that nothing is
// swallowed that a later prompt is to read.
func (a *app) line() ([]byte, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < maxSecret; {
		n, err := a.in.Read(b)
		if n == 1 && b[0] == '\n' || err == io.EOF && len(line) > 0 {
			return line, nil
		}
		if err != nil {
			return nil, err
		}
		line = append(line, b[:n]...)
	}
	return nil, errors.New("the line does not end")
}

// showWords shows the recovery words, in four columns.
func (a *app) showWords(words string) {
	list := strings.Fields(words)
	t := table{}
	rows := (len(list) + 3) / 4
	for r := range rows {
		var cells []string
		for i := r; i < len(list); i += rows {
			cells = append(cells, fmt.Sprintf("%2d %s", i+1, list[i]))
		}
		t.row(cells...)
	}
	t.print(a.out)
}

// confirmWords asks for three of the words, picked at random. A wrong answer
// asks again: whoever gives up still has a vault, and is told so.
func (a *app) confirmWords(words string) error {
	list := strings.Fields(words)
	for _, i := range pick(3, len(list)) {
		right := false
		for try := 0; try < tries && !right; try++ {
			answer, err := a.readLine("ask.word", "n", strconv.Itoa(i+1))
			if err != nil {
				return err
			}
			right = strings.EqualFold(answer, list[i])
			if !right {
				a.tell("words.wrong", "n", strconv.Itoa(i+1))
			}
		}
		if !right {
			return problem.New(problem.Unconfirmed, "words.not-confirmed")
		}
	}
	return nil
}

// pick chooses n different places below limit, in order.
func pick(n, limit int) []int {
	var places []int
	for len(places) < min(n, limit) {
		i, err := rand.Int(rand.Reader, big.NewInt(int64(limit)))
		if err != nil {
			panic(err) // crypto/rand never fails
		}
		if p := int(i.Int64()); !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	slices.Sort(places)
	return places
}

// readWords reads the recovery words from a file, or asks for them ("" or "-").
func (a *app) readWords(file string) (string, error) {
	if file == "" || file == "-" {
		if !isTerminal(a.in) {
			return "", problem.New(problem.Usage, "words.no-terminal")
		}
		return a.readLine("ask.words")
	}
	f, err := os.Open(file)
	if err != nil {
		return "", problem.New(problem.Usage, "words.unreadable", "path", file).Because(err)
	}
	defer f.Close()
	scanner := bufio.NewScanner(io.LimitReader(f, maxSecret))
	scanner.Split(bufio.ScanWords)
	var words []string
	for scanner.Scan() {
		words = append(words, scanner.Text())
	}
	return strings.Join(words, " "), nil
}
