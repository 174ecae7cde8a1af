package machine

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Tick is the unit of the times in /proc/PID/stat. Source: proc(5), USER_HZ.
const Tick = 10 * time.Millisecond

// Used is the processor time of processes: the total in nanoseconds, and its split
// into user and kernel time as sampled by the kernel's ticks.
type Used struct{ Busy, User, System time.Duration }

// Minus returns the time since an earlier reading.
func (u Used) Minus(v Used) Used {
	return Used{u.Busy - v.Busy, u.User - v.User, u.System - v.System}
}

// Kernel is the kernel's share of the time.
func (u Used) Kernel() float64 { return float64(u.System) / float64(max(Tick, u.User+u.System)) }

// process is a line of /proc/PID/stat and the processor time of its threads. ended is the
// time of the children that have ended, and of their children.
type process struct {
	id, parent int
	Used
	ended Used
}

func parseProcess(line string) (p process, err error) {
	// The name, in brackets, may contain any character.
	end := strings.LastIndexByte(line, ')')
	id, _, _ := strings.Cut(line, " ")
	fields := strings.Fields(line[end+1:])
	if end < 0 || len(fields) < 15 {
		return p, fmt.Errorf("not a line of /proc/PID/stat: %q", line)
	}
	numbers := make([]int, 6)
	for i, text := range []string{id, fields[1], fields[11], fields[12], fields[13], fields[14]} {
		if numbers[i], err = strconv.Atoi(text); err != nil {
			return p, fmt.Errorf("/proc/PID/stat: %w", err)
		}
	}
	times := func(user, system int) Used {
		return Used{User: time.Duration(user) * Tick, System: time.Duration(system) * Tick}
	}
	p = process{id: numbers[0], parent: numbers[1], Used: times(numbers[2], numbers[3]), ended: times(numbers[4], numbers[5])}
	p.ended.Busy = p.ended.User + p.ended.System
	return p, nil
}

// parseSchedstat reads the time on a processor from /proc/PID/task/TID/schedstat.
// Source: the kernel's Documentation/scheduler/sched-stats.rst.
func parseSchedstat(line string) (time.Duration, error) {
	first, _, more := strings.Cut(line, " ")
	nanoseconds, err := strconv.ParseInt(first, 10, 64)
	if err != nil || !more {
		return 0, fmt.Errorf("not a line of schedstat: %q", line)
	}
	return time.Duration(nanoseconds), nil
}

// threads returns the processor time of a process's threads. The kernel reports only
// running threads: the time of a thread that has ended is lost. The measured servers
// end no threads. A kernel without schedstat has only ticks, whose 10 ms are a percent
// of a server's time in a block.
func (p process) threads() (sum time.Duration, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.id))
	if err != nil {
		return 0, err
	}
	if len(files) == 0 {
		return p.User + p.System, nil
	}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		spent, err := parseSchedstat(string(line))
		if err != nil {
			return 0, err
		}
		sum += spent
	}
	return sum, nil
}

// family returns a process and its descendants: nginx and varnish work in children.
func family(root int) ([]process, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var all []process
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		p, err := parseProcess(string(line))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	found := below(root, all)
	for i, p := range found {
		if found[i].Busy, err = p.threads(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func below(root int, all []process) (found []process) {
	for _, p := range all {
		if p.id == root {
			found = append(found, p)
		}
		if p.parent == root {
			found = append(found, below(p.id, all)...)
		}
	}
	return found
}

// CPU returns the processor time that the service has used.
func (s *Service) CPU() (sum Used, err error) {
	return UsedBy(s.cmd.Process.Pid)
}

// UsedBy returns the processor time that a process and its descendants have used, also the
// descendants that have ended.
func UsedBy(pid int) (sum Used, err error) {
	processes, err := family(pid)
	for _, p := range processes {
		for _, u := range []Used{p.Used, p.ended} {
			sum.Busy += u.Busy
			sum.User += u.User
			sum.System += u.System
		}
	}
	return sum, err
}

// Share is the time that a virtual machine lost to others, and all its time.
type Share struct{ stolen, all int64 } // in ticks

// parseShare reads the first line of /proc/stat. The eighth column is the time that
// other machines had while this machine was ready to run; the first column includes
// the columns after it. Source: proc(5).
func parseShare(text string) (s Share, err error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return s, fmt.Errorf("not /proc/stat: %q", line)
	}
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return s, fmt.Errorf("/proc/stat: %w", err)
		}
		s.all += n
		if i == 7 {
			s.stolen = n
		}
	}
	return s, nil
}

// ReadShare returns the times since the start of the machine.
func ReadShare() (Share, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Share{}, err
	}
	return parseShare(string(text))
}

// Lost returns the share of the processors' time, from 0 to 1, that this machine has
// lost to others since.
func (s Share) Lost() (float64, error) {
	now, err := ReadShare()
	return float64(now.stolen-s.stolen) / float64(max(1, now.all-s.all)), err
}

// Resident returns the current and the peak memory of the service in bytes. Both
// include its current memory files.
func (s *Service) Resident() (now, most int64, err error) {
	files, err := s.Files()
	if err != nil {
		return 0, 0, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			now = kb << 10
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			most = kb << 10
		}
	}
	return now + files, most + files, nil
}

// Files returns the memory of the memory files that the service has open.
func (s *Service) Files() (sum int64, err error) {
	open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for _, fd := range open {
		name, _ := os.Readlink(fd) // an error means that it is closed
		if !strings.HasPrefix(name, "/memfd:") {
			continue
		}
		var info syscall.Stat_t
		if err := syscall.Stat(fd, &info); err == nil {
			sum += 512 * info.Blocks // whole pages
		}
	}
	return sum, nil
}

// Worker returns the process of the service that has used the most processor time.
func (s *Service) Worker() (string, error) {
	processes, err := family(s.cmd.Process.Pid)
	if err != nil {
		return "", err
	}
	busiest := slices.MaxFunc(processes, func(a, b process) int { return cmp.Compare(a.Busy, b.Busy) })
	return strconv.Itoa(busiest.id), nil
}
