package httpapi

import (
	"strings"
	"testing"
)

func TestSchedules(t *testing.T) {
	t.Parallel()
	w := setup(t)
	saved := map[string]string{}
	for _, s := range after(deployed,
		// As the command line of the reference sends it, in both generations.
		step{as: "developer", do: "POST /schedules?userId=u", body: `{"timestamp":0,"lambdaUUID":"{fn}","cronExpression":"0 0 1 1 *","isActive":true,"uuid":""}`, status: 201, save: map[string]string{"id": "id"},
			has: []string{`"functionUuid":"{fn}"`, `"isActive":true`, `"timeZone":"Etc/UTC"`, `-01-01T00:00:00.000Z"`, `"didLastExecutionFail":false`, `"invocationBody":{"payload":{}}`, `"functionName":"greet"`, `"state":"active"`, `"upcoming":["`}},
		step{as: "developer", do: "POST /schedules?userId=u&v=1", body: `{"timestamp":0,"lambdaUUID":"{fn}","cronExpression":"0 0 1 1 *","isActive":true,"uuid":""}`, status: 201, save: map[string]string{"older": "uuid"},
			has: []string{`"lambdaUUID":"{fn}","cronExpression":"0 0 1 1 *","isActive":true,"nextExecution":"2`, `"lastExecution":null,"didLastExecutionFail":false,"createdBy":"developer"}`}, lacks: []string{"functionUuid", "upcoming"}},
		step{as: "developer", do: "POST /schedules", body: `{"functionUuid":"{fn}","cronExpression":" */5  * * * *","isActive":false,"description":"warms","timeZone":"UTC","invocationBody":{"headers":{"A":"token-4711"},"payload":[1, 2]}}`, status: 201, save: map[string]string{"paused": "id"},
			has: []string{`"cronExpression":"*/5 * * * *"`, `"isActive":false`, `"description":"warms"`, `"invocationBody":{"headers":{"A":"token-4711"},"payload":[1,2]}`, `"state":"paused","reason":"it was paused"`}, lacks: []string{"nextExecution", "upcoming", "lastExecution\""}},
		step{as: "invoker", do: "GET /schedules", status: 200, has: []string{`[{"id":"{id}"`, `{"id":"{older}"`, `{"id":"{paused}"`}, lacks: []string{"upcoming"}},
		step{as: "invoker", do: "GET /schedules?functionUuid=none", status: 200, has: []string{"\n[]\n"}},
		step{as: "invoker", do: "GET /schedules?v=1", status: 200, has: []string{`[{"uuid":"{id}","lambdaUUID":"{fn}"`}},
		step{as: "invoker", do: "GET /schedules/{id}", status: 200, has: []string{`"id":"{id}"`, `"upcoming":["`}},
		step{as: "invoker", do: "GET /schedules/{id}/runs", status: 200, has: []string{"\n[]\n"}},
		step{as: "invoker", do: "GET /schedules/{id}/runs?limit=101", status: 400, has: []string{"limit must be a whole number from 1 to 100"}},

		step{as: "developer", do: "PUT /schedules/{paused}", body: `{"isActive":true,"description":"other"}`, status: 200, has: []string{`"isActive":true`, `"description":"other"`, `"payload":[1,2]`, `"nextExecution":"2`}},
		step{as: "developer", do: "PUT /schedules/{paused}", body: `{"cronExpression":"0 0 30 2 *"}`, status: 400, has: []string{"validation", "never comes true"}},
		step{as: "developer", do: "PUT /schedules/{paused}", body: `{"timeZone":"Europe/Berlin"}`, status: 400, has: []string{"validation", "Etc/UTC only"}},
		step{as: "developer", do: "PUT /schedules/{paused}", body: `{"functionUuid":"other"}`, status: 400, has: []string{"fixed"}},
		step{as: "developer", do: "PUT /schedules/none", body: `{}`, status: 404, has: []string{"db.not-found"}},
		step{as: "developer", do: "POST /schedules", body: `{"functionUuid":"{fn}"}`, status: 400, has: []string{"cronExpression"}},
		step{as: "developer", do: "POST /schedules", body: `{"functionUuid":"none","cronExpression":"* * * * *"}`, status: 404, has: []string{"function.not-found"}},
		step{as: "developer", do: "POST /schedules", body: `{"functionUuid":"{fn}","cronExpression":"* * * * *","invocationBody":{"payload":"` + strings.Repeat("x", 15_000) + `"}}`, status: 400, has: []string{"has 15002 characters"}},
		step{as: "invoker", do: "POST /schedules", body: `{}`, status: 403},
		step{as: "invoker", do: "DELETE /schedules/{id}", status: 403},

		// What is undeployed keeps its schedules.
		step{as: "developer", do: "DELETE /deployments/{fn}", status: 200},
		step{as: "invoker", do: "GET /schedules/{id}", status: 200, has: []string{`"isActive":true`, `"state":"paused","reason":"the function is not deployed"`}},
		step{as: "developer", do: "POST /schedules", body: `{"functionUuid":"{fn}","cronExpression":"* * * * *"}`, status: 409, has: []string{"action.not-allowed", "greet is not deployed"}},
		step{as: "other", do: "GET /api/account/" + other + "/schedules", status: 200, has: []string{"\n[]\n"}},
		step{as: "other", do: "GET /api/account/" + other + "/schedules/{id}", status: 404, has: []string{"db.not-found"}},
		step{as: "other", do: "GET /api/account/" + other + "/schedules/{id}/runs", status: 404, has: []string{"db.not-found"}},
		step{as: "other", do: "DELETE /api/account/" + other + "/schedules/{id}", status: 404, has: []string{"db.not-found"}},
		step{as: "developer", do: "DELETE /schedules/{id}", status: 204},
		step{as: "developer", do: "DELETE /schedules/{id}", status: 404},
		// What is removed takes them along.
		step{as: "developer", do: "DELETE /functions/{fn}", status: 204},
		step{as: "invoker", do: "GET /schedules", status: 200, has: []string{"\n[]\n"}},
	) {
		run(t, w, s, saved)
	}
	w.wantActivities(t, []string{"schedule.create greet", "schedule.create greet", "schedule.create greet", "schedule.update greet", "schedule.remove greet"}, "token-4711")
}
