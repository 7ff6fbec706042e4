package invoke

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"convoke"
	"convoke/internal/build"
)

// TestStore is what a test run reads.
type TestStore interface {
	FindFunction(ctx context.Context, accountID, id string) (*convoke.Function, error)
	FindVersion(ctx context.Context, accountID, functionID string, number int) (*convoke.Version, error)
	QueryLogs(ctx context.Context, accountID string, filter convoke.LogFilter) ([]convoke.LogEntry, error)
}

// Tester runs the newest saved version of a function once, deployed or not.
type Tester struct {
	Service *Service
	Store   TestStore
	// Flush brings log entries that are on their way to the store.
	Flush func(ctx context.Context) error
}

// Test builds the newest version, runs it on body and returns its result and
// what it logged. Errors: CodeFunctionNotFound, CodeInvalid for the body,
// CodeBuildFailed, CodeDeployFailed, and those of Service.Test.
func (t *Tester) Test(ctx context.Context, _ *convoke.Principal, accountID, functionID string, body []byte, requestID string) (json.RawMessage, []convoke.LogEntry, error) {
	input, err := ParseInput(body)
	if err != nil {
		return nil, nil, err
	}
	f, err := t.Store.FindFunction(ctx, accountID, functionID)
	if err != nil {
		return nil, nil, err
	}
	v, err := t.Store.FindVersion(ctx, accountID, functionID, f.LatestVersion)
	if err != nil {
		return nil, nil, err
	}
	if v.Code == "" {
		return nil, nil, convoke.Errorf(convoke.CodeActionNotAllowed, "The function has no code yet; save some first")
	}
	out, err := build.Compile(ctx, build.Source{Code: v.Code, Files: v.Files, Language: v.Language, Contract: v.Contract, Runtime: v.Runtime})
	if err != nil {
		return nil, nil, err
	}
	bundle := &convoke.Bundle{ID: out.ID, AccountID: accountID, Format: out.Format, Contract: out.Contract, Code: out.Code, SourceMap: out.SourceMap}
	start := time.Now()
	res, runErr := t.Service.Test(ctx, v, bundle, Request{AccountID: accountID, FunctionID: functionID, RequestID: requestID, Input: input})
	logs, err := t.logs(ctx, accountID, functionID, requestID, start)
	if runErr != nil || err != nil {
		return nil, logs, cmp.Or(runErr, err)
	}
	return res.JSON, logs, nil
}

func (t *Tester) logs(ctx context.Context, accountID, functionID, requestID string, from time.Time) ([]convoke.LogEntry, error) {
	if err := t.Flush(ctx); err != nil {
		return nil, err
	}
	return t.Store.QueryLogs(ctx, accountID, convoke.LogFilter{
		FunctionID: functionID, RequestID: requestID, From: from.Add(-time.Second), Ascending: true,
	})
}
