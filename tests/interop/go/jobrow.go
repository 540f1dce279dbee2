package main

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/riverqueue/river/rivertype"
)

const metadataKeyNonce = "river:unique_nonce"

// jobJSON is a job row as the protocol shows it.
type jobJSON struct {
	Args         json.RawMessage          `json:"args"`
	Attempt      int                      `json:"attempt"`
	AttemptedAt  *time.Time               `json:"attempted_at"`
	AttemptedBy  []string                 `json:"attempted_by"`
	CreatedAt    time.Time                `json:"created_at"`
	Errors       []rivertype.AttemptError `json:"errors"`
	FinalizedAt  *time.Time               `json:"finalized_at"`
	ID           int64                    `json:"id"`
	Kind         string                   `json:"kind"`
	MaxAttempts  int                      `json:"max_attempts"`
	Metadata     json.RawMessage          `json:"metadata"`
	Priority     int                      `json:"priority"`
	Queue        string                   `json:"queue"`
	ScheduledAt  time.Time                `json:"scheduled_at"`
	State        rivertype.JobState       `json:"state"`
	Tags         []string                 `json:"tags"`
	UniqueKey    *string                  `json:"unique_key"`
	UniqueStates []rivertype.JobState     `json:"unique_states"`
}

func toJobJSON(job *rivertype.JobRow) *jobJSON {
	row := &jobJSON{
		Args:        job.EncodedArgs,
		Attempt:     job.Attempt,
		AttemptedAt: utcOrNil(job.AttemptedAt),
		AttemptedBy: append([]string{}, job.AttemptedBy...),
		CreatedAt:   job.CreatedAt.UTC(),
		Errors:      append([]rivertype.AttemptError{}, job.Errors...),
		FinalizedAt: utcOrNil(job.FinalizedAt),
		ID:          job.ID,
		Kind:        job.Kind,
		MaxAttempts: job.MaxAttempts,
		Metadata:    withoutNonce(job.Metadata),
		Priority:    job.Priority,
		Queue:       job.Queue,
		ScheduledAt: job.ScheduledAt.UTC(),
		State:       job.State,
		Tags:        append([]string{}, job.Tags...),
	}
	for i, attemptError := range row.Errors {
		row.Errors[i].At = attemptError.At.UTC()
	}
	if job.UniqueKey != nil {
		key := hex.EncodeToString(job.UniqueKey)
		row.UniqueKey = &key
	}
	if len(job.UniqueStates) > 0 { // a null column is read as an empty list
		row.UniqueStates = slices.Sorted(slices.Values(job.UniqueStates))
	}
	return row
}

func toJobsJSON(jobs []*rivertype.JobRow) []*jobJSON {
	rows := make([]*jobJSON, len(jobs))
	for i, job := range jobs {
		rows[i] = toJobJSON(job)
	}
	return rows
}

func utcOrNil(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.UTC()
	return &utc
}

// withoutNonce drops the random key that some servers need; other metadata stays as stored.
func withoutNonce(metadata json.RawMessage) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(metadata, &object) != nil || object[metadataKeyNonce] == nil {
		return metadata
	}
	delete(object, metadataKeyNonce)
	rest, err := json.Marshal(object)
	if err != nil {
		return metadata
	}
	return rest
}
