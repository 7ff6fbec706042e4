package api

// Lambda is a function in the V1 dialect: with its newest version, and its
// newest deployment or null. The parts have exactly these members: a client of
// the reference refuses others (spec/api-surface.md 5).
type Lambda struct {
	UUID           string            `json:"uuid"`
	Version        int               `json:"version"` // the newest; a save sends it plus one
	Name           string            `json:"name"`
	Description    string            `json:"description"`
	EventID        string            `json:"eventId,omitempty"`
	State          string            `json:"state"`
	Runtime        LambdaRuntime     `json:"runtime"`
	CreatedAt      Time              `json:"createdAt"`
	CreatedBy      string            `json:"createdBy"`
	UpdatedAt      Time              `json:"updatedAt"`
	UpdatedBy      string            `json:"updatedBy"`
	LastDeployment *LambdaDeployment `json:"lastDeployment"`
	Implementation Implementation    `json:"implementation"`
}

// LambdaRuntime is a runtime in the V1 dialect.
type LambdaRuntime struct {
	UUID          string `json:"uuid"`
	Name          string `json:"name"`
	BaseImageName string `json:"baseImageName"`
}

// LambdaDeployment is a deployment in the V1 dialect.
type LambdaDeployment struct {
	UUID            string                 `json:"uuid"`
	Name            string                 `json:"name"` // of the function
	LambdaUUID      string                 `json:"lambdaUUID"`
	LambdaVersion   int                    `json:"lambdaVersion"`
	ImageName       string                 `json:"imageName"` // the bundle's id, "" until it is built
	DeploymentState string                 `json:"deploymentState"`
	DeploymentError *LambdaDeploymentError `json:"deploymentError"` // null unless it failed
	CreatedAt       Time                   `json:"createdAt"`
	UpdatedAt       Time                   `json:"updatedAt"`
	DeployedAt      Time                   `json:"deployedAt"` // null until it is live: clients wait for it
	CreatedBy       string                 `json:"createdBy"`
	UpdatedBy       string                 `json:"updatedBy"`
}

// LambdaDeploymentError is why a deployment failed; the lines say where in the
// source.
type LambdaDeploymentError struct {
	ErrorCode string    `json:"errorCode"`
	ErrorMsg  string    `json:"errorMsg"`
	ErrorLogs []LogLine `json:"errorLogs"`
}

// Implementation is the content of a version in the V1 dialect.
type Implementation struct {
	Code                 string     `json:"code"`
	Dependencies         []KeyValue `json:"dependencies"` // always empty
	EnvironmentVariables []KeyValue `json:"environmentVariables"`
}

// KeyValue is one pair of a list.
type KeyValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// LambdaRequest creates or saves a lambda. Members that V1 clients send and
// that are not here say nothing that the server does not know better.
type LambdaRequest struct {
	UUID        string         `json:"uuid"`
	Version     int            `json:"version"` // the one that the save makes; 0 or less: whatever is next
	Name        string         `json:"name"`
	Description *string        `json:"description"`
	EventID     string         `json:"eventId"`
	Runtime     *LambdaRuntime `json:"runtime"`

	Implementation struct {
		Code                 *string    `json:"code"`
		Dependencies         []KeyValue `json:"dependencies"`
		EnvironmentVariables []KeyValue `json:"environmentVariables"` // nil is absent; one empty pair is none
	} `json:"implementation"`
}

// ProxySetting is an allowed domain in the V1 dialect. In a request its id is
// a number and says nothing.
type ProxySetting struct {
	ID     string `json:"id"`
	Domain string `json:"domain"`
}

// ProxySettingRequest allows a domain.
type ProxySettingRequest struct {
	Domain string `json:"domain"`
}

// MessageV1 answers deploy and undeploy in the V1 dialect.
type MessageV1 struct {
	Message string `json:"message"`
}

// InvocationReportV1 is a histogram in the V1 dialect.
type InvocationReportV1 struct {
	UUID                 string                   `json:"uuid"`
	InvocationStatistics []InvocationStatisticsV1 `json:"invocationStatistics"`
}

// InvocationStatisticsV1 is InvocationStatistics as V1 spells it.
type InvocationStatisticsV1 struct {
	From            int64 `json:"from"`
	To              int64 `json:"to"`
	Unknown         int64 `json:"UNKOWN"` // sic
	Succeeded       int64 `json:"SUCCEEDED"`
	CodingFailure   int64 `json:"CODING_FAILURE"`
	PlatformFailure int64 `json:"PLATFORM_FAILURE"`
	Timeout         int64 `json:"TIMEOUT"`
}

// LimitCounts are the account's limits in the V1 dialect.
type LimitCounts struct {
	LimitTotalLambdas       int `json:"limitTotalLambdas"`
	LimitDeployedLambdas    int `json:"limitDeployedLambdas"`
	InvocationLimitPerMonth int `json:"invocationLimitPerMonth"`
}

// LambdaCounts are the account's functions in the V1 dialect.
type LambdaCounts struct {
	Total    int `json:"total"`
	Deployed int `json:"deployed"`
}

// InvocationCountsV1 sums up the account's invocations in the V1 dialect.
type InvocationCountsV1 struct {
	SuccessfulInvocations   int64 `json:"successfulInvocations"`
	UnsuccessfulInvocations int64 `json:"unsuccessfulInvocations"`
}
