package api

// Lambda is a function in the V1 dialect: with its newest version, and its
// newest deployment or null. The parts have exactly these members: a client of
// the reference refuses others (spec/api-surface.md 5).
type Lambda struct {
	UUID           string            `json:"uuid"`               // what requests name it by
	Version        int               `json:"version"`            // the newest; a save sends it plus one
	Name           string            `json:"name"`               // unique in the account; fixed
	Description    string            `json:"description"`        // what it is for
	EventID        string            `json:"eventId,omitempty"`  // the event that invokes it; fixed; absent: none
	State          string            `json:"state" enum:"state"` // whether it serves, and whether that is the newest version
	Runtime        LambdaRuntime     `json:"runtime"`            // what the newest version runs on
	CreatedAt      Time              `json:"createdAt"`
	CreatedBy      string            `json:"createdBy"`
	UpdatedAt      Time              `json:"updatedAt"`
	UpdatedBy      string            `json:"updatedBy"`
	LastDeployment *LambdaDeployment `json:"lastDeployment" null:"true"` // the newest deployment; null: none
	Implementation Implementation    `json:"implementation"`             // the newest version
}

// LambdaRuntime is a runtime in the V1 dialect.
type LambdaRuntime struct {
	UUID          string `json:"uuid"`          // stable
	Name          string `json:"name"`          // for people
	BaseImageName string `json:"baseImageName"` // such as node26
}

// LambdaDeployment is a deployment in the V1 dialect.
type LambdaDeployment struct {
	UUID            string                 `json:"uuid"`                                   // of this deployment
	Name            string                 `json:"name"`                                   // of the function
	LambdaUUID      string                 `json:"lambdaUUID"`                             // of the function
	LambdaVersion   int                    `json:"lambdaVersion"`                          // number of the version
	ImageName       string                 `json:"imageName"`                              // the bundle's id, "" until it is built
	DeploymentState string                 `json:"deploymentState" enum:"deploymentState"` // how far it is
	DeploymentError *LambdaDeploymentError `json:"deploymentError" null:"true"`            // null unless it failed
	CreatedAt       Time                   `json:"createdAt"`
	UpdatedAt       Time                   `json:"updatedAt"`
	DeployedAt      Time                   `json:"deployedAt" null:"true"` // null until it is live: clients wait for it
	CreatedBy       string                 `json:"createdBy"`
	UpdatedBy       string                 `json:"updatedBy"`
}

// LambdaDeploymentError is why a deployment failed; the lines say where in the
// source.
type LambdaDeploymentError struct {
	ErrorCode string    `json:"errorCode"` // as in the answer to a failed request
	ErrorMsg  string    `json:"errorMsg"`  // for people
	ErrorLogs []LogLine `json:"errorLogs"` // where in the source
}

// Implementation is the content of a version in the V1 dialect.
type Implementation struct {
	Code                 string     `json:"code"`                 // the source
	Dependencies         []KeyValue `json:"dependencies"`         // always empty
	EnvironmentVariables []KeyValue `json:"environmentVariables"` // what the function sees in process.env
}

// KeyValue is one pair of a list.
type KeyValue struct {
	Key   string `json:"key"`   // its name
	Value string `json:"value"` // its value
}

// LambdaRequest creates or saves a lambda. Members that V1 clients send and
// that are not here say nothing that the server does not know better.
type LambdaRequest struct {
	UUID        string         `json:"uuid,omitempty"`        // of the function, as in the path; "" for a new one
	Version     int            `json:"version,omitempty"`     // the one that the save makes; 0 or less: whatever is next
	Name        string         `json:"name,omitempty"`        // of a new one; fixed from then on
	Description *string        `json:"description,omitempty"` // what it is for
	EventID     string         `json:"eventId,omitempty"`     // of a new one: the event that invokes it; fixed from then on
	Runtime     *LambdaRuntime `json:"runtime,omitempty"`     // one of the list of runtimes; absent: stays, or the default

	Implementation ImplementationRequest `json:"implementation,omitempty"` // what to save; absent members stay
}

// ImplementationRequest is the content of a version, as it is sent.
type ImplementationRequest struct {
	Code                 *string    `json:"code,omitempty"`                 // the source
	Dependencies         []KeyValue `json:"dependencies,omitempty"`         // ignored: functions have what the platform has
	EnvironmentVariables []KeyValue `json:"environmentVariables,omitempty"` // what the function sees in process.env; one empty pair is none
}

// ProxySetting is an allowed domain in the V1 dialect. In a request its id is
// a number and says nothing.
type ProxySetting struct {
	ID     string `json:"id"`     // of the entry
	Domain string `json:"domain"` // the entry as text, such as *.example.com:8443
}

// ProxySettingRequest allows a domain.
type ProxySettingRequest struct {
	Domain string `json:"domain"` // such as api.example.com, *.example.com or api.example.com:8443
}

// MessageV1 answers deploy and undeploy in the V1 dialect.
type MessageV1 struct {
	Message string `json:"message"` // for people
}

// InvocationReportV1 is a histogram in the V1 dialect.
type InvocationReportV1 struct {
	UUID                 string                   `json:"uuid"`                 // of the function
	InvocationStatistics []InvocationStatisticsV1 `json:"invocationStatistics"` // at least one bucket, oldest first
}

// InvocationStatisticsV1 is InvocationStatistics as V1 spells it.
type InvocationStatisticsV1 struct {
	From            int64 `json:"from"`             // Unix milliseconds, inclusive
	To              int64 `json:"to"`               // Unix milliseconds, exclusive
	Unknown         int64 `json:"UNKOWN"`           // invocations whose end is not known; spelled so
	Succeeded       int64 `json:"SUCCEEDED"`        // invocations that succeeded
	CodingFailure   int64 `json:"CODING_FAILURE"`   // invocations that the function's code failed
	PlatformFailure int64 `json:"PLATFORM_FAILURE"` // invocations that the server failed or refused
	Timeout         int64 `json:"TIMEOUT"`          // invocations that ran into the time-out
}

// LimitCounts are the account's limits in the V1 dialect.
type LimitCounts struct {
	LimitTotalLambdas       int `json:"limitTotalLambdas"`       // functions that it may have
	LimitDeployedLambdas    int `json:"limitDeployedLambdas"`    // functions that it may have deployed
	InvocationLimitPerMonth int `json:"invocationLimitPerMonth"` // invocations that it may have in a month
}

// LambdaCounts are the account's functions in the V1 dialect.
type LambdaCounts struct {
	Total    int `json:"total"`    // functions that it has
	Deployed int `json:"deployed"` // functions that are deployed
}

// InvocationCountsV1 sums up the account's invocations in the V1 dialect.
type InvocationCountsV1 struct {
	SuccessfulInvocations   int64 `json:"successfulInvocations"`   // how many succeeded
	UnsuccessfulInvocations int64 `json:"unsuccessfulInvocations"` // how many did not
}
