package function

import "convoke"

// The life of a function. Every change of Function.State, LiveDeploymentID and
// PendingDeploymentID is decided here, inside a transaction of the store.
//
//	                 ┌───────────deploy───────────┐
//	                 ▼                            │
//	create ► Draft ► Productive ─────save────► Modified
//	           ▲         │undeploy                │undeploy
//	           │         ▼                        │
//	           └─ Marked Undeployed ◄─────────────┘
//
// Where each action leads, from a function that is not busy:
//
//	from              live   save      deploy succeeds   deploy fails   undeploy            remove
//	Draft             no     Draft     (1)               (2)            refused             gone
//	Productive        yes    Modified  (1)               (2)            Marked Undeployed   refused
//	Modified          yes    Modified  (1)               (2)            Marked Undeployed   refused
//	Build Error and   yes    Modified  (1)               (2)            Marked Undeployed   refused
//	Deploy Error      no     Draft     (1)               (2)            refused             gone
//
//	(1) Productive if the version is the newest, Modified if it is older (a roll-back)
//	(2) Build Error or Deploy Error; what was live stays live
//
// A function is busy while a deployment is under way, during which its state
// stays what it was, and in Marked Undeployed, which leads to Draft. A busy
// function refuses all of these actions.

// mustBeIdle returns CodeActionNotAllowed while f is busy.
func mustBeIdle(f *convoke.Function) error {
	switch {
	case f.State == convoke.StateMarkedUndeployed:
		return convoke.Errorf(convoke.CodeActionNotAllowed, "%s is being undeployed; try again when that has ended", f.Name)
	case f.PendingDeploymentID != "":
		return convoke.Errorf(convoke.CodeActionNotAllowed, "a deployment of %s is under way; try again when it has ended", f.Name)
	}
	return nil
}

// saved makes v the newest version of f.
func saved(f *convoke.Function, v *convoke.Version) error {
	if err := mustBeIdle(f); err != nil {
		return err
	}
	f.LatestVersion = v.Number
	f.State = convoke.StateDraft
	if f.LiveDeploymentID != "" {
		f.State = convoke.StateModified
	}
	return nil
}

// succeeded makes d, the pending deployment of f, the live one.
func succeeded(f *convoke.Function, d *convoke.Deployment) error {
	if err := mustBePending(f, d); err != nil {
		return err
	}
	f.PendingDeploymentID = ""
	f.LiveDeploymentID, f.LiveVersion = d.ID, d.VersionNumber
	f.State = liveState(f)
	return nil
}

// failed ends d, the pending deployment of f, in StateBuildError or StateDeployError.
func failed(f *convoke.Function, d *convoke.Deployment, state convoke.State) error {
	if err := mustBePending(f, d); err != nil {
		return err
	}
	f.PendingDeploymentID = ""
	f.State = state
	return nil
}

// interrupted ends d, the pending deployment of f, which the end of the
// process cut short. That says nothing about the code, so a function that
// serves is what it was before.
func interrupted(f *convoke.Function, d *convoke.Deployment) error {
	if err := mustBePending(f, d); err != nil {
		return err
	}
	f.PendingDeploymentID = ""
	f.State = convoke.StateDeployError
	if f.LiveDeploymentID != "" {
		f.State = liveState(f)
	}
	return nil
}

// marked begins the undeployment of f: from here on it takes no invocation.
func marked(f *convoke.Function) error {
	if err := mustBeIdle(f); err != nil {
		return err
	}
	if f.LiveDeploymentID == "" {
		return convoke.Errorf(convoke.CodeActionNotAllowed, "%s is not deployed; there is nothing to undeploy", f.Name)
	}
	f.State = convoke.StateMarkedUndeployed
	return nil
}

// undeployed ends the undeployment of f.
func undeployed(f *convoke.Function) error {
	if f.State != convoke.StateMarkedUndeployed {
		return convoke.Errorf(convoke.CodeConflict, "%s is no longer being undeployed", f.Name)
	}
	f.LiveDeploymentID, f.LiveVersion = "", 0
	f.State = convoke.StateDraft
	return nil
}

// mayRemove returns CodeActionNotAllowed while f is busy or deployed.
func mayRemove(f *convoke.Function) error {
	if err := mustBeIdle(f); err != nil {
		return err
	}
	if f.Deployed() {
		return convoke.Errorf(convoke.CodeActionNotAllowed, "%s is deployed; undeploy it first, then remove it", f.Name)
	}
	return nil
}

// mustBePending refuses the outcome of a deployment that somebody else has ended.
func mustBePending(f *convoke.Function, d *convoke.Deployment) error {
	if f.PendingDeploymentID != d.ID {
		return convoke.Errorf(convoke.CodeConflict, "the deployment of %s has been ended already", f.Name)
	}
	return nil
}

// liveState is the state of a function that serves and whose code is in order.
func liveState(f *convoke.Function) convoke.State {
	if f.LiveVersion == f.LatestVersion {
		return convoke.StateProductive
	}
	return convoke.StateModified
}
