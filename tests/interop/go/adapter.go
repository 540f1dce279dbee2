package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river/rivertype"
)

// Error codes of the protocol; those from -32600 down are JSON-RPC's own.
const (
	codeNotFound       = -32001
	codeRejected       = -32002
	codeInvalidRequest = -32600
	codeMethodNotFound = -32601
	codeInvalidParams  = -32602
	codeInternal       = -32603
	codeParseError     = -32700
)

// requestTimeout is when a request is given up; the other side waits for two minutes.
const requestTimeout = 110 * time.Second

type rpcRequest struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      *int64          `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

type rpcResponse struct {
	JSONRPC string    `json:"jsonrpc"`
	ID      *int64    `json:"id"`
	Result  any       `json:"result,omitempty"`
	Error   *rpcError `json:"error,omitempty"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *rpcError) Error() string { return e.Message }

func invalidParams(format string, args ...any) error {
	return &rpcError{Code: codeInvalidParams, Message: fmt.Sprintf(format, args...)}
}

func rejected(format string, args ...any) error {
	return &rpcError{Code: codeRejected, Message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &rpcError{Code: codeNotFound, Message: fmt.Sprintf(format, args...)}
}

// toRPCError gives the error of a method its code: what River itself returned is a refusal.
func toRPCError(err error) *rpcError {
	var rpcErr *rpcError
	switch {
	case errors.As(err, &rpcErr):
		return rpcErr
	case errors.Is(err, rivertype.ErrNotFound):
		return &rpcError{Code: codeNotFound, Message: err.Error()}
	default:
		return &rpcError{Code: codeRejected, Message: err.Error()}
	}
}

// method answers one method: params are decoded strictly before it acts.
type method func(a *adapter, ctx context.Context, params json.RawMessage) (any, error)

// handler makes a method of a function over typed params.
func handler[P any](act func(a *adapter, ctx context.Context, params *P) (any, error)) method {
	return func(a *adapter, ctx context.Context, raw json.RawMessage) (any, error) {
		params := new(P)
		if len(raw) > 0 && !bytes.Equal(raw, []byte("null")) {
			if err := decodeStrictly(raw, params); err != nil {
				return nil, invalidParams("invalid params: %s", err)
			}
		}
		return act(a, ctx, params)
	}
}

// decodeStrictly refuses fields it doesn't know at any depth.
func decodeStrictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("more than one JSON value")
	}
	return nil
}

func runAdapter(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("river-peer adapter", flag.ContinueOnError)
	extended := flags.Bool("extended", false, "know the methods that only our own tests use, too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usageError("unexpected argument " + flags.Arg(0))
	}
	// A signal ends the process as it would any other; only the end of stdin is a clean end.
	ctx = context.WithoutCancel(ctx)

	adapter, err := newAdapter(ctx, *extended)
	if err != nil {
		return err
	}
	serveErr := adapter.serve(ctx, os.Stdin, os.Stdout)
	return errors.Join(serveErr, adapter.close(ctx))
}

// serve answers request after request until the end of input.
func (a *adapter) serve(ctx context.Context, in io.Reader, out io.Writer) error {
	reader := bufio.NewReader(in)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for {
		line, err := reader.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(bytes.TrimSpace(line)) > 0 {
			if err := encoder.Encode(a.answer(ctx, line)); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

func (a *adapter) answer(ctx context.Context, line []byte) *rpcResponse {
	response := &rpcResponse{JSONRPC: "2.0"}
	if !json.Valid(line) {
		response.Error = &rpcError{Code: codeParseError, Message: "not JSON"}
		return response
	}
	request := &rpcRequest{}
	if err := decodeStrictly(line, request); err != nil {
		response.Error = &rpcError{Code: codeInvalidRequest, Message: "invalid request: " + err.Error()}
		return response
	}
	response.ID = request.ID
	if request.JSONRPC != "2.0" || request.ID == nil {
		response.Error = &rpcError{Code: codeInvalidRequest, Message: `a request has "jsonrpc": "2.0" and an integer "id"`}
		return response
	}

	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	result, err := a.call(ctx, request)
	if err != nil {
		response.Error = toRPCError(err)
		return response
	}
	if result == nil {
		result = struct{}{}
	}
	response.Result = result
	return response
}

func (a *adapter) call(ctx context.Context, request *rpcRequest) (result any, err error) {
	defer func() {
		if value := recover(); value != nil {
			fmt.Fprintf(os.Stderr, "panic in %s: %v\n%s", request.Method, value, debug.Stack())
			err = &rpcError{Code: codeInternal, Message: fmt.Sprint(value)}
		}
	}()
	act, ok := methods[request.Method]
	if a.extended {
		if extendedAct, extendedOK := extendedMethods[request.Method]; extendedOK {
			act, ok = extendedAct, true
		}
	}
	if !ok {
		return nil, &rpcError{Code: codeMethodNotFound, Message: fmt.Sprintf("unknown method %q", request.Method)}
	}
	return act(a, ctx, request.Params)
}

// riverVersion is the version of the River module this program was built with.
func riverVersion() string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/riverqueue/river" {
				return module.Version
			}
		}
	}
	return "unknown"
}
