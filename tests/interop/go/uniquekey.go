package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	_ "unsafe" // for go:linkname

	"github.com/riverqueue/river/rivertype"
)

// River takes the args that make a job unique from struct tags of the args' Go type.
// Here they come as lists of names, so the type is made at run time. Such a type can't
// have a Kind method that works, which River's client calls; so River's own function is
// called with it directly, and a hook puts the key in place of that of the whole args.

// riverUniqueOpts has the fields of the struct River's function takes.
type riverUniqueOpts struct {
	ByArgs      bool
	ByPeriod    time.Duration
	ByQueue     bool
	ByState     []rivertype.JobState
	ExcludeKind bool
}

//go:linkname riverUniqueKey github.com/riverqueue/river/internal/dbunique.UniqueKey
func riverUniqueKey(rivertype.TimeGenerator, *riverUniqueOpts, *rivertype.JobInsertParams) ([]byte, error)

// setUniqueKeyOfPaths is the hook; it leaves other jobs alone.
func setUniqueKeyOfPaths(_ context.Context, params *rivertype.JobInsertParams) error {
	args, ok := params.Args.(rawArgs)
	if !ok || args.unique == nil || params.UniqueKey == nil {
		return nil
	}
	keyParams := *params
	keyParams.Args = args.unique.args
	var err error
	params.UniqueKey, err = riverUniqueKey(fixedClock(time.Now()), args.unique.opts, &keyParams)
	return err
}

// uniqueArgs are what the hook needs to know of a job with unique paths.
type uniqueArgs struct {
	args rivertype.JobArgs
	opts *riverUniqueOpts
}

func newUniqueArgs(paths [][]string, opts *insertOpts) (*uniqueArgs, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	if opts == nil || opts.Unique == nil || !opts.Unique.ByArgs {
		return nil, invalidParams("unique_paths need by_args")
	}
	args, err := argsWithUniquePaths(paths)
	if err != nil {
		return nil, err
	}
	return &uniqueArgs{args: args, opts: opts.Unique.toInternal()}, nil
}

type uniqueKeyParams struct {
	uniqueOpts

	Args        string     `json:"args"` // JSON text
	Kind        string     `json:"kind"`
	Now         time.Time  `json:"now"`
	Queue       string     `json:"queue"`
	ScheduledAt *time.Time `json:"scheduled_at"`
	Typed       bool       `json:"typed"`
	UniquePaths [][]string `json:"unique_paths"`
}

// uniqueKey tells the key River would give a job, without inserting it.
func (a *adapter) uniqueKey(_ context.Context, params *uniqueKeyParams) (any, error) {
	text, err := argsText(params.Args, params.Typed)
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(text) // spelt as River's client would
	if err != nil {
		return nil, err
	}
	var args rivertype.JobArgs = rawArgs{kind: params.Kind}
	if len(params.UniquePaths) > 0 {
		if args, err = argsWithUniquePaths(params.UniquePaths); err != nil {
			return nil, err
		}
	}
	key, err := riverUniqueKey(fixedClock(params.Now), params.uniqueOpts.toInternal(), &rivertype.JobInsertParams{
		Args: args, EncodedArgs: encoded, Kind: params.Kind, Queue: params.Queue, ScheduledAt: params.ScheduledAt,
	})
	if err != nil {
		return nil, err
	}
	return map[string]string{"unique_key": hex.EncodeToString(key)}, nil
}

func (o *uniqueOpts) toInternal() *riverUniqueOpts {
	opts := riverUniqueOpts(o.toRiver())
	return &opts
}

// argsWithUniquePaths makes args of a new struct type whose fields at these paths are
// tagged as unique. Their Kind method panics: only the type counts.
func argsWithUniquePaths(paths [][]string) (rivertype.JobArgs, error) {
	root := &uniqueNode{}
	for _, path := range paths {
		if len(path) == 0 {
			return nil, invalidParams("a unique path needs a name")
		}
		node := root
		for _, name := range path {
			if name == "" || strings.Contains(name, ",") {
				return nil, invalidParams("a Go struct tag can't name %q", name)
			}
			node = node.child(name)
		}
		node.leaf = true
	}
	var serial int
	structType := root.structType(&serial, reflect.StructField{
		Name: "JobArgs", Type: reflect.TypeFor[rivertype.JobArgs](), Anonymous: true,
	})
	args, ok := reflect.New(structType).Elem().Interface().(rivertype.JobArgs)
	if !ok {
		return nil, fmt.Errorf("%s is not JobArgs", structType)
	}
	return args, nil
}

// uniqueNode is a name in a tree of paths.
type uniqueNode struct {
	children []*uniqueNode
	leaf     bool
	name     string
}

func (n *uniqueNode) child(name string) *uniqueNode {
	for _, child := range n.children {
		if child.name == name {
			return child
		}
	}
	n.children = append(n.children, &uniqueNode{name: name})
	return n.children[len(n.children)-1]
}

func (n *uniqueNode) structType(serial *int, fields ...reflect.StructField) reflect.Type {
	add := func(name string, fieldType reflect.Type, tag string) {
		// The serial number makes every struct type another one: River looks into each type once.
		*serial++
		fields = append(fields, reflect.StructField{
			Name: fmt.Sprintf("F%d", *serial), Type: fieldType,
			Tag: reflect.StructTag("json:" + strconv.Quote(name) + tag),
		})
	}
	for _, child := range n.children {
		if child.leaf {
			add(child.name, reflect.TypeFor[any](), ` river:"unique"`)
		}
		if len(child.children) > 0 {
			add(child.name, child.structType(serial), "")
		}
	}
	return reflect.StructOf(fields)
}

// fixedClock is a time generator that stands still.
type fixedClock time.Time

func (c fixedClock) Now() time.Time { return time.Time(c) }

func (c fixedClock) NowOrNil() *time.Time {
	now := time.Time(c)
	return &now
}
