package httpapi

import (
	"net/http"

	"convoke"
	"convoke/api"
	people "convoke/internal/account"
	"convoke/internal/httpx"
)

func (s *server) listUsers(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	q := queryOf(r)
	p := q.page(r, convoke.UserOrder, 0, pageMost)
	if q.err != nil {
		return q.err
	}
	users, next, err := s.Pages.PageUsers(r.Context(), by.AccountID, p.Page)
	if err != nil {
		return err
	}
	return writeList(w, r, p, next, bodies(users, api.NewUser))
}

func (s *server) createUser(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.CreateUserRequest
	if err := httpx.ReadExactJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	u, password, err := s.Accounts.CreateUser(r.Context(), by, people.UserInput{
		LoginName: in.LoginName, Roles: rolesOf(in.Roles), Password: convoke.NewSecret(in.Password), External: in.External,
	})
	if err != nil {
		return err
	}
	if err := s.record(r, by, "user.create", u.ID, u.LoginName, nil, api.NewUser(u)); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, api.UserPasswordResponse{User: api.NewUser(u), Password: password.Reveal()})
}

// rolesOf leaves it to the use case to refuse roles that do not exist.
func rolesOf(names []string) []convoke.Role {
	if names == nil {
		return nil
	}
	out := make([]convoke.Role, len(names))
	for i, n := range names {
		out[i] = convoke.Role(n)
	}
	return out
}

func (s *server) getUser(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	u, err := s.Accounts.User(r.Context(), by.AccountID, r.PathValue("user"))
	if err != nil {
		return err
	}
	return httpx.WriteTagged(w, r, u.Revision(), api.NewUser(u))
}

func (s *server) updateUser(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.UpdateUserRequest
	if err := httpx.ReadExactJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	was, is, err := s.Accounts.UpdateUser(r.Context(), by, r.PathValue("user"), people.UserChange{Roles: rolesOf(in.Roles), Disabled: in.Disabled})
	if err != nil {
		return err
	}
	if is != was { // else nothing changed
		if err := s.record(r, by, "user.update", is.ID, is.LoginName, api.NewUser(was), api.NewUser(is)); err != nil {
			return err
		}
	}
	return httpx.WriteJSON(w, http.StatusOK, api.NewUser(is))
}

func (s *server) removeUser(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	u, err := s.Accounts.RemoveUser(r.Context(), by, r.PathValue("user"))
	if err != nil {
		return err
	}
	if err := s.record(r, by, "user.remove", u.ID, u.LoginName, api.NewUser(u), nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) resetPassword(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	u, password, err := s.Accounts.ResetPassword(r.Context(), by, r.PathValue("user"))
	if err != nil {
		return err
	}
	if err := s.record(r, by, "user.resetPassword", u.ID, u.LoginName, nil, nil); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, api.UserPasswordResponse{User: api.NewUser(u), Password: password.Reveal()})
}

func (s *server) changePassword(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.ChangePasswordRequest
	if err := httpx.ReadExactJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	u, err := s.Accounts.ChangePassword(r.Context(), by, people.PasswordChange{
		Old: convoke.NewSecret(in.OldPassword), New: convoke.NewSecret(in.NewPassword), From: httpx.ClientIP(r).String(), RequestID: httpx.RequestID(r),
	})
	if err != nil {
		return err
	}
	if err := s.record(r, by, "user.changePassword", u.ID, u.LoginName, nil, nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
