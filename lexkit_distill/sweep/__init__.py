"""Many trainings of one student: grids of settings, one cache, one table, a choice by validation alone."""
